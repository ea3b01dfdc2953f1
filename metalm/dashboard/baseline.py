"""The run that others are measured against: pinned by the reader, and in the address wherever it matters."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import state, wording
from metalm.store.runs import Run

CHOICE = "baseline"


def run() -> Run | None:
    """The pinned run; None when there is none, or it is gone."""
    name = state.choice(CHOICE)
    found = state.home().store.runs.named([name]) if name else []
    return found[0] if found else None


def show(pinned: Run | None) -> None:
    """Says which run is pinned, with a button to let go of it."""
    if pinned is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/keep: Baseline **{wording.plain(pinned.name)}**", width="content")
        st.button("Unpin", key="baseline.unpin", type="tertiary", on_click=state.choose, args=(CHOICE, None))


def pin(name: str) -> None:
    """Make this run the baseline."""
    state.choose(CHOICE, name)
