"""All runs that were evaluated on a split, on all of its tasks: one heat map, the best run first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from metalm import units
from metalm.dashboard import compare_facets, contents, glossary, state, widgets, wording
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.charts.matrices import task_heatmap
from metalm.dashboard.components.chart import chart
from metalm.text.splits import Split

_BEST = 4  # offered to Compare


def show(split: Split) -> None:
    """Role and support size, how tasks are told apart, and the heat map after the last adaptation step."""
    places = state.home().store.task_results.places(split.id)
    if places.empty:
        st.info("No run was evaluated on this split yet.")
        contents.link("Runs", "Choose runs to evaluate")
        return
    roles = list(dict.fromkeys(places["role"]))
    columns = st.columns([1, 1, 1, 2], vertical_alignment="bottom")
    with columns[0]:
        role = widgets.select("Role", roles, "role", help=glossary.lines(*roles))
    sizes = {
        str(size): bytes_label(size)
        for size in sorted(places.loc[places["role"] == role, "support_bytes"], reverse=True)
    }
    with columns[1]:
        told = glossary.TERMS["support set"]
        size = int(widgets.select("Support set", list(sizes), "support", format_func=sizes.get, help=told))
    results = state.home().store.task_results
    table = _table(str(state.home().path), split.id, role, size, results.version())
    with columns[2]:
        by = widgets.select("Tasks by", compare_facets.offered(split, set(table.index)), "by")
    if table.empty:
        st.info("The runs have seen every task that was evaluated here.")
        return
    with columns[3]:
        best = list(table.columns[:_BEST])
        contents.link("Compare", f"Compare the best {len(best)}", runs=best, view="Tasks")
    _draw(split, table, compare_facets.groups(split, by))


def _draw(split: Split, table: pd.DataFrame, group_of: dict[str, str]) -> None:
    table, groups = compare_facets.ordered(table, group_of)
    names = {member.task.id: member.task.name for member in split.tasks}
    shown = table.set_axis([names[task_id] for task_id in table.index])
    label = (
        f"Bits per byte of {wording.things(table.shape[1], 'run')} on {wording.things(len(table), 'task')}"
    )
    view = f"{table.shape}{groups[:1]}"
    chart(task_heatmap(shown, groups=groups), key="split.results", label=label, view=view)
    gaps = compare_facets.missing(table)
    told = f" Grey: {wording.things(gaps, 'cell')} not evaluated." if gaps else ""
    st.caption(
        f"{label}, after each run's own adaptation. The best run on the tasks that it has, and the hardest "
        f"task, come first.{told}"
    )


# What is remembered is shared by all sessions: nobody may change it.
@st.cache_resource(max_entries=8, show_spinner="Reading results …")
def _table(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    split_id: str,
    role: str,
    support_bytes: int,
    version: tuple,  # noqa: ARG001 - nor outlive the evaluations
) -> pd.DataFrame:
    home = state.home()
    return scores(home.split(split_id), home.store.task_results.by_run(split_id, role, support_bytes))


def scores(split: Split, rows: pd.DataFrame) -> pd.DataFrame:
    """Tasks (ids) x runs (names): bits per byte, nan where there is none.

    The best run and the hardest task come first. rows: of `TaskResults.by_run`.
    """
    values = np.full((len(split.tasks), len(rows)), np.nan)
    for column, row in enumerate(rows.itertuples(index=False)):
        values[row.positions, column] = units.bits_per_byte(row.nats, row.bytes)
    table = pd.DataFrame(values, [member.task.id for member in split.tasks], list(rows["run"]))
    table = table.dropna(how="all")
    table = table[table.median().sort_values(kind="stable").index]
    return table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
