"""The queue: what runs, what waits, in which order; what ended badly."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import empty, job_progress, messages, state, train_watch, wording
from metalm.store.jobs import Job

_ENDED = 8  # jobs of the past that are listed


@st.fragment(run_every=2)
def live() -> None:
    """Running and waiting jobs with their buttons, drawn anew every two seconds."""
    messages.show_notices()
    running, queue = state.jobs().running(), state.jobs().queue()
    names = dict(state.home().store.runs.names())
    if not running and not queue:
        empty.nothing(
            "Nothing runs, nothing waits.",
            "Launched runs and evaluations line up here.",
            page="Train",
            label="Set up a run",
            view="New run",
        )
    for job in running:
        _running(job, names)
    for position, job in enumerate(queue):
        _waiting(job, position, len(queue), names)
    _ended(names)


def has_evaluations() -> bool:
    """Whether an evaluation runs or waits."""
    return any("run" not in job.payload for job in (*state.jobs().running(), *state.jobs().queue()))


def evaluations() -> None:
    """Each evaluation that runs, with its progress, or waits; trainings show as runs."""
    names = dict(state.home().store.runs.names())
    for status, jobs in (("running", state.jobs().running()), ("queued", state.jobs().queue())):
        for job in jobs:
            if "run" in job.payload:
                continue
            with st.container(border=True):
                st.markdown(f"{title(job, names)} {wording.status_badge(status)}")
                if status == "running":
                    job_progress.bar(job)


def title(job: Job, names: dict[str, str]) -> str:
    """What a job does, by the names of its runs, or of its study."""
    if "study" in job.payload:
        studies = dict(state.home().store.studies.names())
        return f"Study **{wording.plain(studies.get(job.payload['study'], 'that was deleted'))}**"
    ids = [job.payload["run"]] if "run" in job.payload else list(job.payload.get("runs", []))
    runs = ", ".join(names.get(id, "a deleted run") for id in ids)
    return f"{job.kind.capitalize()} of **{wording.plain(runs)}**"


def _running(job: Job, names: dict[str, str]) -> None:
    with st.container(border=True):
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.markdown(f"{title(job, names)} {wording.status_badge('running')}")
        look = {"icon": ":material/stop:", "key": f"job.{job.id}", "width": "stretch"}
        right.button("Stop", on_click=job_progress.do, args=(state.jobs().cancel, job.id), **look)
        if "run" in job.payload:
            run = state.home().run(job.payload["run"])
            st.progress(min(1.0, run.progress), text=train_watch.progress(run))
        else:
            job_progress.bar(job)


def _waiting(job: Job, position: int, num: int, names: dict[str, str]) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":gray[{position + 1}.] {title(job, names)}", width="stretch")
        moves = (("Up", "arrow_upward", position - 1), ("Down", "arrow_downward", position + 1))
        for label, icon, to in moves:
            look = {"icon": f":material/{icon}:", "key": f"{label}.{job.id}", "disabled": not 0 <= to < num}
            st.button(label, on_click=job_progress.do, args=(state.jobs().move, job.id, to), **look)
        look = {"icon": ":material/close:", "key": f"cancel.{job.id}"}
        st.button("Cancel", on_click=job_progress.do, args=(state.jobs().cancel, job.id), **look)


def _ended(names: dict[str, str]) -> None:
    ended = state.jobs().recent()[:_ENDED]
    if not ended:
        return
    st.markdown("##### Lately ended")
    for job in ended:
        st.markdown(
            f"{title(job, names)} {wording.status_badge(job.status)} :gray[{wording.ago(job.finished_at)}]"
        )
        if job.error:
            messages.error(job.error)
            with st.expander("Traceback"):
                st.code(job.traceback, language=None)
