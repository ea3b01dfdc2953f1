"""Every run's results on one task: over adaptation steps, as a table, and while runs were learning."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm import units
from metalm.dashboard import (
    compare_evidence,
    contents,
    evidence_tables,
    glossary,
    palette,
    state,
    widgets,
    wording,
)
from metalm.dashboard.charts.adaptation import adaptation_curves
from metalm.dashboard.charts.spread import task_over_training
from metalm.dashboard.compare_evidence import OWN_METHODS
from metalm.dashboard.compare_results import support_size
from metalm.dashboard.components.chart import chart
from metalm.dashboard.palette import RunStyle
from metalm.dashboard.run_adaptation import trained_steps
from metalm.dashboard.table_height import table_height
from metalm.evaluate import statistics
from metalm.text.splits import Split, SplitTask

_LINES = 10  # on a chart; the table has all
_TRACKS = {"static": "Static track", "online": "Online track"}


def show(split: Split, member: SplitTask) -> None:
    """The best runs and the baselines over adaptation steps, and all of them as a table."""
    rows = state.home().store.task_results.of_task(split.id, member.task.id)
    if rows.empty:
        st.info("No run was evaluated on it yet.")
        role = "Evaluate a run with the role meta-test" if member.role == "meta-test" else "Evaluate a run"
        st.caption(
            f"{role} on the Runs page; runs are evaluated on meta-validation tasks unless asked otherwise."
        )
        return
    tracks = [track for track in _TRACKS if (rows["track"] == track).any()]
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    track = tracks[0]
    if len(tracks) > 1:
        with right:
            told = glossary.lines("static track", "online track")
            track = widgets.switch("Track", tracks, "track", format_func=_TRACKS.get, help=told)
    rows = rows[rows["track"] == track]
    with left:
        size = support_size(rows)
    table = _table(rows[rows["support_bytes"] == size])
    styles = _styles(table)
    if track == "static":
        points = rows.assign(series=compare_evidence.series_of(rows), value=0.0)
        _over_steps(points[points["support_bytes"] == size], table, styles)
    _show_table(table)


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line a series, the best first: series, run_id, name, before, after, saved, hurts, steps, seen."""
    rows = rows.assign(
        series=compare_evidence.series_of(rows),
        value=units.bits_per_byte(rows["nats"], rows["bytes"]),
        task_id="",
    )
    facts = rows.groupby("series", sort=False).agg(
        run_id=("run_id", "first"),
        run=("run", "first"),
        method=("method", "first"),
        steps=("adaptation_step", "max"),
        seen=("seen", "any"),
    )
    table = statistics.before_after(rows).set_index("series").join(facts)
    names = table["run"].where(table["method"].isin(OWN_METHODS), table.index.to_series())
    return table.assign(name=names).sort_values("after", kind="stable").reset_index()


def _styles(table: pd.DataFrame) -> dict[str, RunStyle]:
    """Of the best runs, and of the best baselines: as many as a chart can hold."""
    own = table["method"].isin(OWN_METHODS)
    runs, baselines = table[own].head(_LINES), table[~own].head(_LINES)
    names = dict(zip(runs["series"], runs["name"], strict=True))
    return palette.run_styles(names) | palette.baseline_styles(list(baselines["series"]))


def _over_steps(points: pd.DataFrame, table: pd.DataFrame, styles: dict[str, RunStyle]) -> None:
    shown = [run_id for run_id in table["run_id"].dropna().unique() if run_id in styles]
    runs = state.home().store.runs.these(shown)
    trained = {run.id: steps for run in runs if (steps := trained_steps(run)) is not None}
    figure = adaptation_curves(points, styles, "adaptation_step", trained=trained)
    chart(figure, key="task.steps", label="Bits per byte of the task over adaptation steps")
    told = ["Hollow: more adaptation steps than the run learned with."] if trained else []
    if len(styles) < len(table):
        told.append(f"The best {len(styles)} of {len(table)}; the table has all.")
    st.caption(" ".join(told))


def _show_table(table: pd.DataFrame) -> None:
    """All series, the best first; a selected run's page is one click away."""
    seen = table["seen"].map({True: "seen in training", False: ""})
    columns = ["name", "before", "after", "saved", "steps", "note"]
    table = table.assign(note=seen, saved=table["saved"].where(table["steps"] > 0))
    picked = st.dataframe(
        table[columns],
        hide_index=True,
        height=table_height(len(table), 14),
        on_select="rerun",
        selection_mode="single-row",
        key=f"task.results.{hash(tuple(table['series']))}",
        column_config={
            "name": st.column_config.TextColumn("run or baseline", pinned=True),
            "before": evidence_tables.NUMBER,
            "after": evidence_tables.NUMBER,
            "saved": st.column_config.NumberColumn(format="%+.3f", help="bits per byte, by adaptation"),
            "steps": st.column_config.NumberColumn("adaptation steps", format="localized"),
            "note": st.column_config.TextColumn(help="what a run has seen proves nothing about it"),
        },
        placeholder=wording.NOTHING,
        alt="Bits per byte of each run and baseline on this task",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = [table.iloc[row] for row in picked.selection.rows if row < len(table)]
        runs = [one["run"] for one in chosen if one["run_id"] is not None]
        if runs:
            contents.link("Run", f"Open {runs[0]}", run=runs[0])
        best = list(table.loc[table["method"] == "adapt", "name"].head(4))
        if len(best) > 1:
            contents.link("Compare", f"Compare the best {len(best)}", runs=best, view="Tasks")
        else:
            st.caption("Bits per byte, less is better. Select a row to open its run.")


def over_training(split: Split, member: SplitTask) -> None:
    """What the task cost, after adaptation, while runs of the split were learning."""
    runs = [run for run in state.home().run_heads() if run.split_id == split.id and run.step > 0]
    ranked = sorted(runs, key=lambda run: run.best_value if run.best_value is not None else float("inf"))
    shown = ranked[:_LINES]
    points = state.home().store.task_metrics.of_task([run.id for run in shown], member.task.id)
    if points.empty:
        st.info("No run has validated on it yet.")
        return
    styles = palette.run_styles({run.id: run.name for run in shown})
    label = f"Bits per byte of {member.task.name} after adaptation, over outer steps"
    chart(task_over_training(points, styles), key="task.training", label=label)
    more = f" The best {len(shown)} of {len(runs)} runs." if len(shown) < len(runs) else ""
    st.caption(f"Measured at every meta-validation, after its adaptation steps.{more}")
