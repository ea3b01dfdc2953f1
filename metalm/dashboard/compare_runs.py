"""Which runs are compared, in the order in which they were chosen, and how each is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from metalm.dashboard import empty, palette, sample_runs, state, widgets, wording
from metalm.dashboard.palette import RunStyle
from metalm.store.run_heads import RunHead
from metalm.store.runs import Run

MAX_RUNS = 56  # twice as many as there are colours with a dash: the pointer tells two alike apart


def choose(*, most: int = MAX_RUNS, fit: Callable[[RunHead], bool] = lambda run: run.step > 0) -> list[Run]:
    """Runs chosen by name; the choice stands in the URL and is shared by Compare and Adapt.

    Without a run that is `fit` the page says so and ends here, and so it does until one is chosen. At first
    the runs that ship are, as long as there are no others.
    """
    known = state.home().run_heads()
    runs = {run.name: run for run in known if fit(run)}
    if not runs:
        empty.nothing(
            "No run to look at yet.",
            "Launch one: its first points are here after its first outer step.",
            page="Train",
            label="Set up a run",
        )
        st.stop()
    if sample_runs.are_all(runs.values()):
        state.suggest("runs", [run.name for run in sample_runs.of(runs.values())][:most])
    _by_name(known)
    _tell_missing([run.name for run in known])
    chosen = widgets.select_many(
        "Runs",
        list(runs),
        "runs",
        elsewhere=[run.name for run in known],
        max_selections=most,
        placeholder="Choose one or more runs",
        format_func=lambda name: _told(runs[name]),
    )
    if not chosen:
        _suggest(list(runs)[:most])
        st.stop()
    return state.home().store.runs.these([runs[name].id for name in chosen])


def _by_name(known: Sequence[RunHead]) -> None:
    """An address may have ids, which reports and the command line print."""
    names, asked = {run.id: run.name for run in known}, state.choices("runs")
    if any(each in names for each in asked):
        state.choose("runs", [names.get(each, each) for each in asked])


def _tell_missing(names: Sequence[str]) -> None:
    """An address may name runs that are gone; what is left of it is not what was sent."""
    gone = [name for name in state.choices("runs") if name not in names]
    if gone:
        st.warning(
            f"Not in this home, or archived, or called otherwise by now: {wording.plain(', '.join(gone))}."
        )


def _told(run: RunHead) -> str:
    return run.name if run.status == "finished" else f"{run.name} ({run.status})"


def _suggest(names: Sequence[str]) -> None:
    newest = list(names[:3])
    with st.container(border=True):
        st.markdown("**Choose the runs above.**")
        st.markdown(":gray[They keep their colours here, and the address of this page brings them back.]")
        label = "Take the newest" if len(newest) == 1 else f"Take the newest {len(newest)}"
        st.button(label, on_click=state.choose, args=("runs", newest))


def styles(runs: Sequence[Run]) -> dict[str, RunStyle]:
    """Run id -> how it is drawn, in the order of choice."""
    return palette.run_styles({run.id: run.name for run in runs})
