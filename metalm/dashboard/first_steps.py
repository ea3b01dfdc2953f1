"""What a newcomer does first, each step ticked off once it is done."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import contents, state
from metalm.store.runs import Run

_STEPS = [
    (
        "Look at the texts",
        "Samples are here already; add your own.",
        "Corpora",
        "Open the corpora",
        "All corpora",
    ),
    (
        "Choose a split",
        "Which tasks are learned from, chosen by and judged on.",
        "Tasks",
        "Open the splits",
        "Splits",
    ),
    ("Train a run", "Launch one and watch its curves.", "Train", "Set up a run", "New run"),
    (
        "Adapt it",
        "See each character's bits fall on a text that it has never seen.",
        "Adapt",
        "Adapt to a text",
        "",
    ),
]


def show(runs: list[Run]) -> None:
    """The steps as cards, until the first run has finished."""
    if any(run.status == "finished" for run in runs):
        return
    done = [bool(state.home().corpora()), bool(state.home().splits()), False, False]
    st.markdown("#### First steps")
    for i, (column, (headline, advice, page, label, view)) in enumerate(
        zip(st.columns(len(_STEPS)), _STEPS, strict=True)
    ):
        with column.container(border=True, height="stretch"):
            mark = ":green[:material/check_circle:]" if done[i] else f":gray[{i + 1}]"
            st.markdown(f"{mark} **{headline}**  \n:gray[{advice}]")
            contents.link(page, label, view=view)
