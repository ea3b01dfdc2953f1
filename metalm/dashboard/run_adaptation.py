"""The two time axes at once: how adaptation, step by step, changed while the outer loop was learning."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from metalm import units
from metalm.config import run_config
from metalm.dashboard import compare_runs, palette, state, widgets, wording
from metalm.dashboard.charts.adaptation import adaptation_curves
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.charts.spread import two_axes
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run

_PARTS = {
    "validation": "meta-validation tasks",
    "query": "query windows of training",
    "support": "support windows of training",
}
_TOLD = {
    "validation": "Measured at every meta-validation, before its first adaptation step and after its last.",
    "query": "Meta-train tasks in training, on text they did not adapt to. Algorithms with one loss at the "
    "end measure their last step alone.",
    "support": "Meta-train tasks in training, on the windows that the next adaptation step learns from.",
}


def trained_steps(run: Run) -> int | None:
    """The adaptation steps that a run learned with; None where its algorithm takes none."""
    inner = getattr(run_config(run.config).algorithm, "inner", None)
    return None if inner is None else inner.steps


def show(run: Run) -> None:
    """Heat map of outer steps and adaptation steps, a slider over the former, and the slice that it marks."""
    sources = _sources(run)
    if not sources:
        st.info(
            "Nothing measured along both axes yet: the first numbers come with the first meta-validation."
        )
        return
    source = widgets.switch("Measured on", list(sources), "measured")
    points = sources[source]
    columns = points.groupby("last")["first"].min().sort_index()
    names = {last: wording.count(last) for last in columns.index}
    chosen = int(columns.index[-1])
    if len(columns) > 1:
        steps = {str(int(last)): name for last, name in names.items()}
        chosen = int(widgets.notches("Outer step", list(steps), "outer_step", format_func=steps.get))
    left, right = st.columns([3, 2])
    trained = trained_steps(run)
    with left:
        st.markdown("**Outer steps × adaptation steps**")
        label = f"Bits per byte of {run.name} by outer step and adaptation step, on {source}"
        chart(two_axes(points, chosen=chosen, trained=trained), key="two.axes", label=label, view=source)
    with right:
        st.markdown(f"**Adaptation at outer step {names[chosen]}**")
        _slice(run, points, chosen, trained)
    _tell(points, trained)


def _sources(run: Run) -> dict[str, pd.DataFrame]:
    """Where the loss is known along both axes: a name, and points with first, last, adaptation_step, bits."""
    grid = state.home().store.task_metrics.grid(run.id)
    grid = grid.assign(bits=units.bits_per_byte(grid["nats"], grid["bytes"]))
    found = {told: grid[grid["part"] == part] for part, told in _PARTS.items()}
    return {told: part for told, part in (_evaluated(run) | found).items() if len(part)}


def _evaluated(run: Run) -> dict[str, pd.DataFrame]:
    """The same from evaluations of several checkpoints, as of a run that was extended and judged again."""
    results = state.home().store.task_results
    found = {}
    for place in results.places(run.split_id).itertuples(index=False):
        rows = results.checkpoints(run.id, run.split_id, place.role, place.support_bytes)
        if rows["step"].nunique() > 1:
            bits = units.bits_per_byte(rows["nats"], rows["bytes"])
            name = f"evaluations: {place.role}, {bytes_label(place.support_bytes)}"
            found[name] = rows.assign(first=rows["step"], last=rows["step"], bits=bits)
    return found


def _slice(run: Run, points: pd.DataFrame, chosen: int, trained: int | None) -> None:
    """Bits per byte over adaptation steps at the chosen outer step, beside the first and the last."""
    first, last = points["last"].min(), points["last"].max()
    own = compare_runs.styles([run])[run.id]
    others = {name: at for name, at in (("the first", first), ("the last", last)) if at != chosen}
    styles = {"chosen": replace(own, name=f"outer step {chosen:,}")} | palette.baseline_styles(list(others))
    lines = [points[points["last"] == chosen].assign(series="chosen")]
    lines += [points[points["last"] == at].assign(series=name) for name, at in others.items()]
    figure = adaptation_curves(
        pd.concat(lines), styles, "adaptation_step", trained={} if trained is None else {"chosen": trained}
    )
    chart(figure, key="slice", label=f"Adaptation of {run.name} at outer step {chosen}")


def _tell(points: pd.DataFrame, trained: int | None) -> None:
    part = points["part"].iloc[0] if "part" in points else ""
    told = [_TOLD.get(part, "Each checkpoint as it was evaluated.")]
    if (points["first"] != points["last"]).any():
        told.append("Neighbouring outer steps share a column.")
    if trained is not None and points["adaptation_step"].max() > trained:
        told.append(f"Above the dashed line: more than the {trained} adaptation steps that it learned with.")
    cells = len(points.drop_duplicates(["last", "adaptation_step"]))
    if cells < points["last"].nunique() * points["adaptation_step"].nunique():
        told.append("Empty cells were not measured.")
    st.caption(" ".join(told))
