"""The table of runs: a page of rows at a time, as filtered and sorted in the store; as CSV too."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import (
    baseline,
    empty,
    messages,
    run_columns,
    run_filters,
    run_group_curves,
    run_groups,
    run_insight,
    run_rows,
    run_views,
    state,
    widgets,
    wording,
)
from metalm.dashboard.run_columns import Columns
from metalm.dashboard.table_height import table_height
from metalm.errors import FilterError
from metalm.store.run_table import RunQuery
from metalm.store.runs import Run

PAGE = 500  # rows that are read and sent at once
_ROWS = ["Runs", "Groups", "Parallel", "Importance"]
_ROWS_HELP = (
    "Groups: runs that differ in the seed alone, together. Parallel: settings and an outcome side by side. "
    "Importance: how much of the outcome each setting explains."
)


def show() -> list[Run] | None:
    """The controls and the table; the selected runs, None when there is none to select."""
    run_views.open_saved()
    query = run_filters.ask()
    with st.container(horizontal=True, vertical_alignment="center"):
        rows = widgets.switch("Rows", _ROWS, "rows", help=_ROWS_HELP)
        columns = run_columns.choose() if rows in _ROWS[:2] else Columns()
        ways = run_groups.choose() if rows == "Groups" else None
        run_views.choose()
    try:
        num = state.home().store.run_table.count(query)
    except FilterError as error:
        messages.error(error)
        return None
    if not num:
        _nothing()
        return None
    if rows in ("Parallel", "Importance"):
        look = run_insight.parallel if rows == "Parallel" else run_insight.explained
        look(query, _selected(query))
        return None
    baseline.show(baseline.run())
    is_live = state.home().store.run_table.active()
    # A fragment would keep a selection to itself: where nothing is live, the whole page is drawn for it.
    alive = st.fragment(run_every=3) if is_live else lambda part: part
    if ways is not None:
        alive(run_groups.show)(query, columns, ways, is_live)
    else:
        at = widgets.page(-(-num // PAGE), "page") if num > PAGE else 1
        alive(_rows)(query, columns, num, (at - 1) * PAGE, is_live)
    selected = _selected(query)
    if ways is not None and len(selected) > 1:  # one run alone is shown in full
        run_group_curves.show(selected, ways)
    return selected


def _nothing() -> None:
    if state.home().store.run_table.count(RunQuery()):
        empty.nothing("No run matches the filter.", "Search for a part of a name, or allow every status.")
        return
    empty.no_run()


def _selected(query: RunQuery) -> list[Run]:
    """The chosen runs that the query has, whichever page they stand on."""
    runs = state.home().store.runs.named(state.choices("runs"))
    if not runs:
        return []
    asked = RunQuery(**{**vars(query), "ids": tuple(run.id for run in runs)})
    found = set(state.home().store.run_table.frame(["id"], asked)["id"])
    return [run for run in runs if run.id in found]


def _rows(query: RunQuery, columns: Columns, num: int, offset: int, is_live: bool) -> None:
    """One page of the table as it stands now; what is selected goes into the URL by name."""
    frame = run_rows.read(query, columns, limit=PAGE, offset=offset)
    names = list(frame["run"])
    before = state.choices("runs")
    table = run_rows.dressed(frame, columns.keys)
    # Rows are selected by their place: other runs in the table make another widget, or the selection slips.
    picked = st.dataframe(
        table,
        key=f"runs.{hash(tuple(names))}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [i for i, name in enumerate(names) if name in before]}},
        height=table_height(len(names)),
        column_config=run_columns.config(columns.keys, columns.pinned),
        placeholder=wording.NOTHING,
        alt="Runs",
    )
    here = [names[row] for row in picked.selection.rows if row < len(names)]
    chosen = [*(name for name in before if name not in names), *here]
    state.choose("runs", chosen)
    num_chosen = len(here) if chosen == here else len(_selected(query))  # others may be archived by now
    _foot(query, columns, num, offset, len(names), num_chosen)
    if is_live and sorted(chosen) != sorted(before):
        st.rerun()  # what is below the table is about the selection


def _foot(query: RunQuery, columns: Columns, num: int, offset: int, shown: int, chosen: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        part = "" if shown == num else f"{offset + 1:,} to {offset + shown:,} of "
        told = f"{part}{wording.things(num, 'run')} · {chosen} selected"
        st.caption(f"{told}. **Columns** says which columns there are and sorts all runs.", width="content")
        icon = ":material/download:"
        st.download_button(
            "CSV", lambda: run_rows.csv(query, columns), "runs.csv", "text/csv", on_click="ignore", icon=icon
        )
