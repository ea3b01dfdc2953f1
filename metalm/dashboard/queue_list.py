"""The queue: what runs, what waits, in which order; what ended badly."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import empty, state, wording
from metalm.errors import MetalmError
from metalm.store.jobs import Job
from metalm.store.runs import Run

_ENDED = 8  # jobs of the past that are listed


@st.fragment(run_every=2)
def live() -> None:
    """Running and waiting jobs with their buttons, drawn anew every two seconds."""
    running, queue = state.jobs().running(), state.jobs().queue()
    names = {run.id: run.name for archived in (False, True) for run in state.home().runs(archived=archived)}
    if not running and not queue:
        empty.nothing(
            "Nothing runs, nothing waits.",
            "Launched runs and evaluations line up here.",
            page="Train",
            label="Set up a run",
        )
    for job in running:
        _running(job, names)
    for position, job in enumerate(queue):
        _waiting(job, position, len(queue), names)
    _ended(names)


def evaluations(runs: list[Run]) -> None:
    """One line for each evaluation that runs or waits; trainings show as runs."""
    names = {run.id: run.name for run in runs}
    for status, jobs in (("running", state.jobs().running()), ("queued", state.jobs().queue())):
        for job in jobs:
            if "run" not in job.payload:
                st.markdown(f"{title(job, names)} {wording.status_badge(status)}")


def title(job: Job, names: dict[str, str]) -> str:
    """What a job does, by the names of its runs."""
    ids = [job.payload["run"]] if "run" in job.payload else list(job.payload.get("runs", []))
    return f"{job.kind.capitalize()} of **{', '.join(names.get(id, 'a deleted run') for id in ids)}**"


def _running(job: Job, names: dict[str, str]) -> None:
    with st.container(border=True):
        left, right = st.columns([5, 1], vertical_alignment="center")
        left.markdown(f"{title(job, names)} {wording.status_badge('running')}")
        if right.button("Stop", icon=":material/stop:", key=f"job.{job.id}", width="stretch"):
            _do(state.jobs().cancel, job.id)
        progress = state.home().run(job.payload["run"]).progress if "run" in job.payload else job.progress
        st.progress(min(1.0, progress or 0.0), text=job.message or f"since {wording.ago(job.started_at)}")


def _waiting(job: Job, position: int, num: int, names: dict[str, str]) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":gray[{position + 1}.] {title(job, names)}", width="stretch")
        moves = (("Up", "arrow_upward", position - 1), ("Down", "arrow_downward", position + 1))
        for label, icon, to in moves:
            if st.button(
                label, icon=f":material/{icon}:", key=f"{label}.{job.id}", disabled=not 0 <= to < num
            ):
                _do(state.jobs().move, job.id, to)
        if st.button("Cancel", icon=":material/close:", key=f"cancel.{job.id}"):
            _do(state.jobs().cancel, job.id)


def _do(action, *arguments) -> None:
    """An action on the queue, and the queue as it is afterwards."""
    try:
        action(*arguments)
    except MetalmError as error:
        st.error(str(error))
    else:
        st.rerun(scope="fragment")


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
            st.error(job.error)
            with st.expander("Traceback"):
                st.code(job.traceback, language=None)
