"""What happens inside trainings: speed, gradients, learned rates, drift, rank; of one run or of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from metalm.dashboard import compare_runs, curve_controls, measures, state, widgets, wording
from metalm.dashboard.charts.diagnostics import measure_curves
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.charts.matrices import rate_heatmap
from metalm.dashboard.components.chart import chart
from metalm.dashboard.measures import DIAGNOSTICS, Diagnostic
from metalm.dashboard.palette import RunStyle
from metalm.store.runs import Run

_NOW, _OVER_TRAINING = "Now", "Over training"
_RATES = DIAGNOSTICS["Learned rates"]
_SEVERAL_STEPS = 8  # plots of adaptation steps that are shown of several runs


def show(runs: Sequence[Run]) -> None:
    """Chooser, controls and charts; drawn anew while one of the runs trains."""
    measured = state.home().store.metrics.measured([run.id for run in runs])
    offered = {
        name: each
        for name, each in DIAGNOSTICS.items()
        if any(measures.available(each, names) for names in measured.values())
    }
    if not offered:
        st.info("Nothing measured yet: the first numbers come with the first outer step.")
        return
    diagnostic = offered[widgets.switch("Diagnostics", list(offered), "diagnostic")]
    have = [run for run in runs if measures.available(diagnostic, measured[run.id])]
    as_map = diagnostic is _RATES and widgets.switch("Rates", [_NOW, _OVER_TRAINING], "rates") == _NOW
    view = CurveView() if as_map else curve_controls.choose(runs, has_unit=False)
    is_live = any(run.status in ("queued", "running") for run in runs)
    draw = st.fragment(run_every=3 if is_live else None)(_draw)
    styles = {run: style for run, style in compare_runs.styles(runs).items() if run in {r.id for r in have}}
    draw(styles, diagnostic, view, as_map)
    st.caption(diagnostic.told)
    _tell_missing(diagnostic, runs, have, offered)


def _draw(styles: dict[str, RunStyle], diagnostic: Diagnostic, view: CurveView, as_map: bool) -> None:
    """styles: of the runs that have it, in the colours that they have beside all that are chosen."""
    home = state.home()
    runs = home.store.runs.these(list(styles))
    name = f"seen.{view.x}"
    seen = None if as_map else state.looked_at(name)
    points = measures.gather(home.store.metrics, list(styles), diagnostic, view.x, within=seen)
    curve_controls.tell_uncounted(runs, points, view)
    if as_map:
        _maps(runs, points)
        return
    if len(runs) > 1:
        points = _told_apart(points)
    else:
        st.markdown(f"**{wording.plain(runs[0].name)}** :gray[{runs[0].algorithm}]")
    chart(
        measure_curves(points, styles, view, diagnostic.axis),
        key=f"diagnostic.{diagnostic.name}",
        label=f"{diagnostic.name} of {', '.join(run.name for run in runs)}",
        view=f"{view}",
        look=partial(state.look_at, name),
        seen=seen,
        group="curves",
    )


def _told_apart(points: pd.DataFrame) -> pd.DataFrame:
    """Of several runs: a plot a weight and adaptation step; where those are many, of one chosen step."""
    steps = [str(step) for step in sorted(points["adaptation_step"].dropna().unique())]
    num_panels = points.loc[points["adaptation_step"].notna(), ["panel", "adaptation_step"]]
    if len(num_panels.drop_duplicates()) > _SEVERAL_STEPS:
        chosen, _ = st.columns([1, 3])
        with chosen:
            step = int(widgets.select("Adaptation step", steps, "step"))
        return points[points["adaptation_step"].isna() | (points["adaptation_step"] == step)]
    return measures.by_step(points)


def _maps(runs: Sequence[Run], points: pd.DataFrame) -> None:
    """A heat map a run, all with the same colours."""
    maps = {run.id: measures.last_rates(points, run.id) for run in runs}
    low = min((float(rates.min(axis=None)) for rates in maps.values() if rates.size), default=0.0)
    high = max((float(rates.max(axis=None)) for rates in maps.values() if rates.size), default=1.0)
    columns = st.columns(2) if len(runs) > 1 else [st.container()]
    for place, run in enumerate(runs):
        with columns[place % len(columns)]:
            st.markdown(f"**{wording.plain(run.name)}** :gray[{run.algorithm}]")
            chart(
                rate_heatmap(maps[run.id], low=low, high=high),
                key=f"rates.{run.id}",
                label=f"Learned rates of {run.name} by weight and adaptation step",
            )


def _tell_missing(
    diagnostic: Diagnostic, runs: Sequence[Run], have: Sequence[Run], offered: dict[str, Diagnostic]
) -> None:
    """Which runs are not on the chart, what none of them has, and why."""
    absent = [run.name for run in runs if run not in have]
    if absent:
        st.caption(
            f"{diagnostic.name} not there for {wording.plain(', '.join(absent))}: {diagnostic.lacking}."
        )
    none_has = [each for name, each in DIAGNOSTICS.items() if name not in offered]
    if none_has:
        whose = "this run" if len(runs) == 1 else "any of these runs"
        told = "; ".join(f"{each.name.lower()} ({each.lacking})" for each in none_has)
        st.caption(f"Not there for {whose}: {told}.")
