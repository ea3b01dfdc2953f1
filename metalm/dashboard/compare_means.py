"""Means of the chosen runs over tasks: along steps and support bytes, with medians and every task."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import compare_evidence, evidence_tables
from metalm.dashboard.charts.adaptation import adaptation_curves
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.compare_evidence import Evidence
from metalm.dashboard.compare_results import evidence, support_size
from metalm.dashboard.components.chart import chart
from metalm.dashboard.table_height import table_height
from metalm.store.runs import Run


def show(runs: Sequence[Run]) -> None:
    """Curves, and the numbers behind them. The online track takes no steps, so it has one curve."""
    gathered = evidence(runs)
    if gathered is None:
        return
    size = support_size(gathered.tasks)
    if gathered.place.is_online:
        _over_support(gathered)
    else:
        left, right = st.columns(2)
        with left:
            _over_steps(gathered, size)
        with right:
            _over_support(gathered)
    st.caption("Means over the tasks that all have; the band is the 95 % bootstrap interval over tasks.")
    st.markdown("**Means and medians**")
    means = compare_evidence.over_support(gathered.tasks)
    names = [gathered.styles[series].name for series in means["series"]]
    evidence_tables.means(means.assign(name=names))
    st.markdown(f"**Every task, {bytes_label(size)} of support**")
    _every_task(gathered, size)


def _over_support(gathered: Evidence) -> None:
    step = "" if gathered.place.is_online else ", after the last step"
    st.markdown(f"**Over support bytes{step}**")
    points = compare_evidence.over_support(gathered.tasks)
    figure = adaptation_curves(points, gathered.styles, "support_bytes")
    chart(figure, key="sizes", label="Over support bytes")


def _over_steps(gathered: Evidence, size: int) -> None:
    st.markdown(f"**Over adaptation steps, {bytes_label(size)} of support**")
    points = compare_evidence.over_steps(gathered.tasks, size)
    figure = adaptation_curves(points, gathered.styles, "adaptation_step")
    chart(figure, key="steps", label="Over steps")


def _every_task(gathered: Evidence, size: int) -> None:
    """A row a task, a column a series: the scores that the means are made of."""
    table = compare_evidence.wide(gathered, size)
    st.dataframe(
        table,
        height=table_height(len(table)),
        column_config=dict.fromkeys(table, evidence_tables.NUMBER),
        alt=f"{gathered.place.measured}, of each task and run",
    )
