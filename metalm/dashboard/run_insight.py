"""What settings do, over a selection of runs: parallel coordinates, and how much each setting explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from metalm.dashboard import empty, run_columns, state, widgets, wording
from metalm.dashboard.charts.parallel import parallel_coordinates
from metalm.dashboard.components.chart import chart
from metalm.dashboard.table_height import table_height
from metalm.evaluate.importance import MIN_RUNS, importance
from metalm.store.run_fields import field, settings
from metalm.store.run_table import RunQuery
from metalm.store.runs import Run

CHOICES = ("outcome", "axes")
MAX_RUNS = 5000  # that are read
MAX_LINES = 150  # more lines hide each other
MAX_AXES = 10
_FACTS = ("algorithm", "split", "network", "seed", "warm_start", "trained_on")
_USUAL = 6


def parallel(query: RunQuery, selected: Sequence[Run]) -> None:
    """The lines, with a choice of axes; at first those that explain most."""
    outcome, table = _read(query, selected)
    varying = _varying(table)
    if len(table) < 2 or not varying:
        empty.nothing("Nothing to set side by side.", "Two runs that differ in a setting are needed.")
        return
    ranked = list(importance(table[varying], table[outcome])["setting"])
    usual = [*ranked, *(key for key in varying if key not in ranked)][:_USUAL]
    chosen = widgets.select_many(
        "Settings",
        varying,
        "axes",
        max_selections=MAX_AXES,
        placeholder="those that explain most",
        format_func=lambda key: field(key).label,
    )
    axes = [*(chosen or usual), outcome]
    drawn = _spread(table, outcome)
    chart(
        parallel_coordinates(drawn.set_index("run")[axes], [field(key).label for key in axes], outcome),
        key="runs.parallel",
        label=f"Parallel coordinates of {wording.things(len(drawn), 'run')}: "
        f"{', '.join(field(key).label for key in axes)}",
        view="|".join(axes),
    )
    part = f" Of {len(table):,} runs {len(drawn)} are drawn, evenly spread over the outcome."
    st.caption(
        "Every line is a run; the bold ones are the quarter with the smallest outcome."
        + part * (len(drawn) < len(table))
    )


def _spread(table: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """At most MAX_LINES of the runs, from the smallest outcome to the largest."""
    if len(table) <= MAX_LINES:
        return table
    ordered = table.dropna(subset=[outcome]).sort_values(outcome, kind="stable")
    if ordered.empty:
        return table.head(MAX_LINES)
    return ordered.iloc[:: -(-len(ordered) // MAX_LINES)]


def explained(query: RunQuery, selected: Sequence[Run]) -> None:
    """The table of importance."""
    outcome, table = _read(query, selected)
    found = importance(table[_varying(table)], table[outcome])
    if found.empty:
        empty.nothing(
            "Nothing to explain.", f"{MIN_RUNS} runs with this outcome that differ in a setting are needed."
        )
        return
    ways = {1: "more comes with more", -1: "more comes with less", 0: "its values differ"}
    shown = found.assign(
        setting=[field(key).label for key in found["setting"]],
        explains=100 * found["explains"],
        direction=[ways[way] for way in found["direction"]],
        verdict=["chance may do as much" if p > 0.05 else "beyond chance" for p in found["chance"]],
    )
    kinds = st.column_config
    bar = {"format": "%.0f %%", "min_value": 0, "max_value": 100}
    st.dataframe(
        shown[["setting", "explains", "direction", "verdict", "chance", "runs"]],
        hide_index=True,
        height=table_height(len(shown), 16),
        column_config={
            "explains": kinds.ProgressColumn(help="share of the differences in rank", **bar),
            "direction": kinds.TextColumn(help="of the setting and the outcome, by rank"),
            "chance": kinds.NumberColumn(format="%.3f", help="share of shuffles that explain as much"),
            "runs": kinds.NumberColumn(width="small", help="that have both"),
        },
        alt=f"How much each setting explains of {field(outcome).label}",
    )
    st.caption(
        f"Share of the rank differences in {field(outcome).label} that goes along with each setting alone: "
        "squared rank correlation of numbers, correlation ratio of words. Settings changed together "
        "share what they explain; with many settings, one in twenty looks beyond chance by chance."
    )


def _read(query: RunQuery, selected: Sequence[Run]) -> tuple[str, pd.DataFrame]:
    """The outcome chosen, and a row a run by keys: of the selected runs, or of all that the filter has."""
    usual = ["bits_per_byte", "before", "after", "seconds", "tokens_per_second"]
    outcomes = [*usual, *state.home().store.run_table.results()]
    outcome = widgets.select(
        "Outcome", outcomes, "outcome", format_func=lambda key: field(key).label, width=320
    )
    if len(selected) > 1:
        query = replace(query, ids=tuple(run.id for run in selected))
    keys = dict.fromkeys(["run", *_FACTS, *settings(), outcome or usual[0]])
    table = state.home().store.run_table.frame(list(keys), query, limit=MAX_RUNS)
    told = (
        "those selected" if len(selected) > 1 else "all that the filter has; select rows to see those alone"
    )
    newest = "the newest " if len(table) == MAX_RUNS else ""
    st.caption(f"{newest}{wording.things(len(table), 'run')}: {told}.")
    if run_columns.in_bits(outcome or usual[0]) and table["split"].nunique() > 1:
        st.warning(
            "These runs are on several splits, and bits per byte of different tasks do not compare: filter "
            "by one of them, such as `split = languages`."
        )
    return outcome or usual[0], table


def _varying(table: pd.DataFrame) -> list[str]:
    keys = [key for key in (*_FACTS, *settings()) if key in table]
    return [key for key in keys if table[key].nunique() > 1 and not run_columns.is_outcome(key)]
