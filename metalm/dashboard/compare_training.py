"""The chosen runs while they learned: how tasks spread over outer steps, and both time axes of one run."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import compare_runs, run_adaptation, state, widgets
from metalm.dashboard.charts.spread import task_ribbons
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run


def show(runs: Sequence[Run]) -> None:
    """Ribbons of all runs, drawn anew while one of them trains; then one run along both axes."""
    is_live = any(run.status in ("queued", "running") for run in runs)
    st.markdown("**Meta-validation tasks over outer steps**")
    st.fragment(run_every=3 if is_live else None)(_ribbons)(runs)
    st.divider()
    names = {run.name: run for run in runs}
    if len(names) > 1:
        chosen, _ = st.columns([1, 3])
        with chosen:
            run = names[widgets.select("Both axes of", list(names), "both")]
    else:
        run = runs[0]
    run_adaptation.show(run)


def _ribbons(runs: Sequence[Run]) -> None:
    points = state.home().store.task_metrics.spread([run.id for run in runs])
    if points.empty:
        st.info("No meta-validation yet: its first numbers come before the first outer step.")
        return
    label = (
        f"Distribution over tasks of bits per byte after adaptation, of {', '.join(run.name for run in runs)}"
    )
    chart(task_ribbons(points, compare_runs.styles(runs)), key="ribbons", label=label)
    edge = "dotted: the easiest and the hardest" if len(runs) == 1 else "up to three runs have one"
    st.caption(
        "Line: the median task, after adaptation as in validation. Ribbon: the middle 80 % of the tasks; "
        f"{edge}. Where runs validate with different steps or sizes, only their shapes compare."
    )
