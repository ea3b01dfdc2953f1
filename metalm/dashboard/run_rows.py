"""The rows of the table of runs, from the store to what readers see: labels, minutes, differences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metalm.dashboard import baseline, run_columns, state
from metalm.dashboard.run_columns import Columns
from metalm.store.run_fields import field, settings
from metalm.store.run_table import RunQuery
from metalm.store.runs import Run


def read(query: RunQuery, columns: Columns, *, limit: int | None = None, offset: int = 0) -> pd.DataFrame:
    """The columns by their keys, with the id and the split that every reader needs."""
    keys = dict.fromkeys([*columns.keys, "run", "id", "split_id"])
    order = {"sort": columns.sort, "descending": not columns.ascending}
    return state.home().store.run_table.frame(list(keys), query, **order, limit=limit, offset=offset)


def dressed(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The frame under the labels that readers see, times in minutes, differences to the baseline beside."""
    pinned = baseline.run()
    against = None if pinned is None else figures(pinned, keys)
    shown: dict[str, pd.Series] = {}
    for key in keys:
        values = frame[key] / 60 if key == "seconds" else frame[key]
        shown[field(key).label] = values
        if against is not None and run_columns.in_bits(key):
            same = frame["split_id"] == pinned.split_id  # across splits a difference means nothing
            shown[run_columns.difference(key)] = (values - against[key]).where(same)
    return pd.DataFrame(shown)


def figures(run: Run, keys: Sequence[str]) -> pd.Series:
    """The run's own figures in those of the columns that are bits per byte."""
    wanted = [key for key in keys if run_columns.in_bits(key)]
    frame = state.home().store.run_table.frame(["id", *wanted], RunQuery(archived=True, ids=(run.id,)))
    return frame.iloc[0]


def csv(query: RunQuery, columns: Columns) -> str:
    """Every run of the query with the columns shown and every setting, for a spreadsheet."""
    keys = tuple(dict.fromkeys([*columns.keys, "id", *settings()]))
    table = read(query, Columns(keys, (), columns.sort, columns.ascending))
    if "tags" in table:
        table["tags"] = [", ".join(tags) for tags in table["tags"]]
    return table[list(keys)].to_csv(index=False)
