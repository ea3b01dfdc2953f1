"""A study while it is carried out and afterwards: how far, its runs, stop and resume, its report."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import contents, job_progress, messages, state, study_report, wording
from metalm.errors import NotFoundError
from metalm.operations import studies as operations
from metalm.store.jobs import Job
from metalm.store.studies import Study
from metalm.studies import kept
from metalm.studies.kinds import kind_of

ACTIVE = ("running", "queued")
_COLOURS = {"begun": "orange", **wording.STATUS_COLOURS}


def show(study: Study) -> None:
    """All about a study; its head is drawn anew every two seconds as long as it is carried out."""
    if operations.status(state.home(), state.jobs(), study) in ACTIVE:
        st.fragment(run_every=2)(_head)(study.id, True)
    else:
        _head(study.id, False)
    study_report.show(study)


def _head(study_id: str, is_live: bool) -> None:
    try:
        study = state.home().store.studies.get(study_id)
    except NotFoundError:
        st.rerun()
    status = operations.status(state.home(), state.jobs(), study)
    if is_live and status not in ACTIVE:
        st.rerun()  # the whole page: there may be a report now
    messages.show_notices()
    done, planned = operations.counts(state.home(), study)
    with st.container(border=True):
        left, right = st.columns([3, 2], vertical_alignment="center")
        badge = f":{_COLOURS[status]}-badge[{status}]"
        left.markdown(f"**{wording.plain(study.name)}** {badge} :gray[{kind_of(study.kind).question}]")
        with right.container(horizontal=True, horizontal_alignment="right"):
            _buttons(study, status)
        job = state.jobs().study_job(study.id)
        share, words = _progress(job, done, planned, status)
        st.progress(share, text=words)
        _failure(study)
        _runs(study)


def _progress(job: Job | None, done: int, planned: int, status: str) -> tuple[float, str]:
    told = f"{done} of {wording.things(planned, 'run')} finished"
    if job is not None and status == "running":
        job = state.home().store.jobs.get(job.id)  # what the manager holds is the job as it began
        return min(1.0, job.progress), f"{told}; {job_progress.words(job, _begun(job, planned))}"
    if status == "queued":
        return 0.0, f"{told}; waiting in the queue"
    if status == "finished":
        return 1.0, told
    return done / max(planned, 1), f"{told}; it can be resumed"


def _begun(job: Job, planned: int) -> float:
    """The share of a study that was done when this job took it up: what an earlier one left."""
    runs = state.home().store.studies.runs(job.payload["study"]).values()
    ended = [state.home().store.runs.get(run_id).finished_at for run_id in runs]
    before = sum(at is not None and job.started_at is not None and at < job.started_at for at in ended)
    return before / (planned + 1)  # the report counts as one, too


def _buttons(study: Study, status: str) -> None:
    if status in ACTIVE:
        look = {"icon": ":material/stop:", "key": f"stop.{study.id}"}
        st.button("Stop", on_click=_stop, args=(study,), **look)
        return
    label = "Carry out again" if status == "finished" else "Resume"
    help = "Makes what is missing, and writes the report anew." if status == "finished" else None
    look = {"icon": ":material/play_arrow:", "key": f"resume.{study.id}", "help": help}
    st.button(label, on_click=_resume, args=(study,), **look)
    if st.button("Delete", icon=":material/delete:", key=f"delete.{study.id}"):
        _confirm_deletion(study)


@st.dialog("Delete this study?")
def _confirm_deletion(study: Study) -> None:
    st.markdown(f"**{wording.plain(study.name)}** and its report go for good. Its runs stay.")
    if st.button("Delete for good", type="primary", on_click=_delete, args=(study,)):
        st.rerun()


def _delete(study: Study) -> None:
    def action() -> str:
        kept.delete(state.home(), study.id)
        return f"{study.name} is deleted."

    state.attempt(action, study=None)


def _stop(study: Study) -> None:
    def action() -> str:
        job = state.jobs().study_job(study.id)
        if job is not None:
            state.jobs().cancel(job.id)
        return f"{study.name} stops; the run in training gets a checkpoint."

    state.attempt(action)


def _resume(study: Study) -> None:
    def action() -> str:
        state.jobs().study(study.id)
        return f"{study.name}: in the queue."

    state.attempt(action)


def _failure(study: Study) -> None:
    """What went wrong when it was last carried out."""
    last = next((job for job in state.jobs().recent() if job.payload.get("study") == study.id), None)
    if last is not None and last.error and state.jobs().study_job(study.id) is None:
        messages.error(last.error)
        with st.expander("Traceback"):
            st.code(last.traceback, language=None)


def _runs(study: Study) -> None:
    home = state.home()
    found = {key: home.store.runs.get(id) for key, id in home.store.studies.runs(study.id).items()}
    if not found:
        return
    with st.expander(f"{wording.things(len(found), 'run')} of this study"):
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "run": key,
                        "status": run.status,
                        "progress": 100 * run.progress,
                        "bits per byte": run.best_value,
                        "tokens": run.tokens,
                        "seconds": run.seconds,
                    }
                    for key, run in found.items()
                ]
            ),
            hide_index=True,
            column_config={
                "progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
                "bits per byte": st.column_config.NumberColumn(
                    format="%.3f", help="best on meta-validation, after adaptation"
                ),
                "tokens": st.column_config.NumberColumn(format="localized"),
                "seconds": st.column_config.NumberColumn(format="%.1f"),
            },
            alt="The runs of this study",
        )
        contents.link("Compare", "Compare them", runs=[run.name for run in found.values()])
