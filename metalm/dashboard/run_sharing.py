"""Runs on their way out: a report of those that are compared."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import state
from metalm.sharing.run_report import as_text, run_report
from metalm.store.runs import Run

_KINDS = {".html": ("HTML", "text/html"), ".md": ("Markdown", "text/markdown")}


def report(runs: Sequence[Run]) -> None:
    """Two buttons: the runs side by side in one file, made when it is asked for."""
    with st.popover("Report", icon=":material/summarize:"):
        st.caption(
            "These runs in one file: curves, results with intervals, paired differences to the first run, "
            "settings that differ. HTML has charts to zoom in, and needs no network."
        )
        for suffix, (label, mime) in _KINDS.items():
            st.download_button(
                label,
                lambda suffix=suffix: _text(runs, suffix),
                f"report{suffix}",
                mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"report{suffix}",
                width="stretch",
            )


def _text(runs: Sequence[Run], suffix: str) -> str:
    return as_text(run_report(state.home(), [run.id for run in runs]), suffix)
