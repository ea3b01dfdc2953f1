"""A toast when a run, an evaluation, a study or a demo has ended, whatever page is open; once a browser."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import state, wording
from metalm.dashboard.components.bell import bell
from metalm.errors import NotFoundError
from metalm.jobs.endings import Ending, Endings

_ICONS = {
    "finished": ":material/check_circle:",
    "cancelled": ":material/stop_circle:",
    "failed": ":material/error:",
}
_MOST = 4  # toasts at once; more would cover the page


def listen(page: str) -> None:
    """Waits for news in a part of the page that nothing else is drawn anew with."""
    st.fragment(_listen)(state.jobs().endings, page)


def _listen(endings: Endings, page: str) -> None:
    rung = bell(last=endings.last)
    if rung is None:
        return
    untold = [one for one in endings.untold(rung.reader, rung.after) if not _is_watched(one, page)]
    for ending in untold[-_MOST:]:
        duration = "long" if ending.status == "failed" else "short"
        st.toast(words(ending), icon=_ICONS[ending.status], duration=duration)
    if len(untold) > _MOST:
        st.toast(f"{wording.things(len(untold) - _MOST, 'job')} more ended; Train, Queue lists them.")


def _is_watched(ending: Ending, page: str) -> bool:
    """A demo whose end the reader sees anyhow."""
    if ending.kind != "demo" or page != "Adapt":
        return False
    return not set(ending.subjects).isdisjoint(state.choices("demo"))


def words(ending: Ending) -> str:
    """What has ended, and how, in a line of markdown."""
    if ending.kind == "training":
        return _of_run(ending)
    if ending.kind == "evaluation":
        what = f"The evaluation of **{_names(ending.subjects)}**"
        done = "is done: see its results"
    elif ending.kind == "study":
        names = dict(state.home().store.studies.names())
        what = f"The study **{wording.plain(names.get(ending.subjects[0], 'that was deleted'))}**"
        done = "is done: its report stands on Studies"
    else:
        what, done = f"The demo of **{wording.plain(ending.name)}**", "is done, and kept on Adapt"
    return f"{what} {_ended(ending, done)}."


def _of_run(ending: Ending) -> str:
    try:
        run = state.home().run(ending.subjects[0])
    except NotFoundError:
        return f"A run that was deleted {_ended(ending, 'has finished')}."
    value = "" if run.tuned_value is None else f": {run.tuned_value:.3f} bits per byte after adaptation"
    return f"**{wording.plain(run.name)}** {_ended(ending, f'has finished{value}')}."


def _ended(ending: Ending, done: str) -> str:
    if ending.status == "failed":
        reason = ending.error.strip().splitlines()[0] if ending.error.strip() else "its page says why"
        return f"failed: {wording.plain(reason).removesuffix('.')}"
    return "has stopped; what was done is kept" if ending.status == "cancelled" else done


def _names(run_ids: tuple[str, ...]) -> str:
    known = dict(state.home().store.runs.names())
    names = [wording.plain(known.get(run_id, "a deleted run")) for run_id in run_ids]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
