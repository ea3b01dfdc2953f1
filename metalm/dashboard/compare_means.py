"""Means of the chosen runs over tasks: along steps and support bytes, with medians and every task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from metalm.dashboard import compare_evidence, evidence_tables, widgets
from metalm.dashboard.charts.adaptation import adaptation_curves
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.compare_curves import vocabulary
from metalm.dashboard.compare_evidence import Evidence
from metalm.dashboard.compare_results import evidence, support_size
from metalm.dashboard.components.chart import chart
from metalm.dashboard.run_adaptation import trained_steps
from metalm.dashboard.table_height import table_height
from metalm.evaluate.statistics import UNITS, Unit
from metalm.store.runs import Run


def show(runs: Sequence[Run]) -> None:
    """Curves, and the numbers behind them. The online track takes no steps, so it has one curve."""
    gathered = evidence(runs)
    if gathered is None:
        return
    left, right, _ = st.columns([1, 1, 3], vertical_alignment="bottom")
    with left:
        size = support_size(gathered.tasks)
    with right:
        unit: Unit = widgets.select("Unit", list(UNITS), "unit")
    gathered = replace(gathered, tasks=compare_evidence.in_unit(gathered.tasks, unit))
    for name, part in _apart(gathered, runs, unit).items():
        if name:
            st.markdown(f"**Tokens: {name}**")
        _curves(part, runs, size, unit, key=name)
    hollow = "" if gathered.place.is_online else " Hollow: more adaptation steps than the run learned with."
    st.caption(
        f"Means over the tasks that all have; the band is the 95 % bootstrap interval over tasks.{hollow}"
    )
    st.markdown(f"**Means and medians, {unit}**")
    means = compare_evidence.over_support(gathered.tasks)
    names = [gathered.styles[series].name for series in means["series"]]
    evidence_tables.means(means.assign(name=names))
    st.markdown(f"**Every task, {bytes_label(size)} of support, {unit}**")
    _every_task(gathered, size)


def _apart(gathered: Evidence, runs: Sequence[Run], unit: Unit) -> dict[str, Evidence]:
    """The evidence by vocabulary, and why, where the unit counts tokens of several; else as it is."""
    known = {run.id: vocabulary(run) for run in runs}
    found = compare_evidence.vocabularies(gathered.tasks, known)
    if UNITS[unit][1] != "tokens" or len(set(found.values())) < 2:
        return {"": gathered}
    st.info(
        f"{unit.capitalize()} counts tokens, and these have different vocabularies: a token is a byte for "
        "some and a whole character or more for others, so their numbers are never on one axis. Bits per "
        "byte compares them all."
    )
    parts: dict[str, Evidence] = {}
    for name in dict.fromkeys(found.values()):
        own = gathered.tasks["series"].map(found) == name
        parts[name] = replace(gathered, tasks=gathered.tasks[own])
    return parts


def _curves(gathered: Evidence, runs: Sequence[Run], size: int, unit: Unit, *, key: str) -> None:
    if gathered.place.is_online:
        _over_support(gathered, unit, key)
        return
    left, right = st.columns(2)
    with left:
        _over_steps(gathered, runs, size, unit, key)
    with right:
        _over_support(gathered, unit, key)


def _over_support(gathered: Evidence, unit: Unit, key: str) -> None:
    step = "" if gathered.place.is_online else ", after the last step"
    st.markdown(f"**Over support bytes{step}**")
    points = compare_evidence.over_support(gathered.tasks)
    figure = adaptation_curves(points, gathered.styles, "support_bytes", unit=unit)
    chart(figure, key=f"sizes{key}", label=f"{unit.capitalize()} over support bytes", view=unit)


def _over_steps(gathered: Evidence, runs: Sequence[Run], size: int, unit: Unit, key: str) -> None:
    st.markdown(f"**Over adaptation steps, {bytes_label(size)} of support**")
    points = compare_evidence.over_steps(gathered.tasks, size)
    trained = {run.id: steps for run in runs if (steps := trained_steps(run)) is not None}
    figure = adaptation_curves(points, gathered.styles, "adaptation_step", unit=unit, trained=trained)
    chart(figure, key=f"steps{key}", label=f"{unit.capitalize()} over adaptation steps", view=unit)


def _every_task(gathered: Evidence, size: int) -> None:
    """A row a task, a column a series: the scores that the means are made of."""
    table: pd.DataFrame = compare_evidence.wide(gathered, size)
    st.dataframe(
        table,
        height=table_height(len(table)),
        column_config=dict.fromkeys(table, evidence_tables.NUMBER),
        alt=f"{gathered.place.measured}, of each task and run",
    )
