"""A job of the queue, where its results will stand: how far it is, the time left, and how to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from metalm.dashboard import long_work, messages, state
from metalm.errors import MetalmError
from metalm.store.jobs import Job


def bar(job: Job) -> None:
    """How far a running job is."""
    job = state.home().store.jobs.get(job.id)  # what the manager holds is the job as it began
    st.progress(min(1.0, job.progress), text=words(job))


def words(job: Job, begun: float = 0.0) -> str:
    """What a job does now, and the time left. begun: the share that others had done before it."""
    seconds = (datetime.now(UTC) - job.started_at).total_seconds() if job.started_at else 0.0
    return long_work.words(job.message or "about to begin", job.progress, seconds, begun)


def evaluations(run_ids: Iterable[str]) -> list[Job]:
    """The evaluations of any of these runs that run or wait, in their order."""
    wanted = set(run_ids)
    jobs = (*state.jobs().running(), *state.jobs().queue())
    return [job for job in jobs if not wanted.isdisjoint(job.payload.get("runs", ()))]


def watch(run_ids: Iterable[str]) -> None:
    """The evaluations of any of these runs, drawn anew as they go on; nothing when there is none."""
    if evaluations(wanted := list(run_ids)):
        st.fragment(run_every=3)(_watch)(wanted)


def _watch(run_ids: list[str]) -> None:
    jobs = evaluations(run_ids)
    if not jobs:
        st.rerun()  # the whole page: there are more results now
    messages.show_notices()
    show(jobs)


def show(jobs: Iterable[Job]) -> None:
    """Each with its progress, or that it waits, and a button that stops it."""
    running = {job.id for job in state.jobs().running()}
    for job in jobs:
        with st.container(border=True):
            told, stop = st.columns([5, 1], vertical_alignment="center")
            with told:
                if job.id in running:
                    bar(job)
                else:
                    st.caption("An evaluation waits in the queue.")
            look = {"icon": ":material/stop:", "key": f"beside.{job.id}", "width": "stretch"}
            stop.button("Stop", on_click=do, args=(state.jobs().cancel, job.id), **look)


def do(action: Callable[..., None], *arguments: Any) -> None:
    """An action on the queue; a job that has just begun or ended refuses some."""
    try:
        action(*arguments)
    except MetalmError as error:
        messages.notice(str(error), "error")
