"""Which run the page of one run is about: by its name in the address, or chosen by hand."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import contents, empty, state, widgets
from metalm.store.runs import Run


def choose() -> Run | None:
    """The chosen run, the newest by default; None when there is none, and a word when it is gone."""
    store = state.home().store.runs
    names = [name for _, name in store.names()]
    if not names:
        empty.no_run()
        return None
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        name = widgets.select("Run", names, "run", pinned=True)
    with right:
        contents.link("Runs", "All runs")
    found = store.named([name])
    return found[0] if found else None
