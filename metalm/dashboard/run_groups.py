"""The table of groups: repetitions as one row, with mean, standard deviation and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from metalm.dashboard import baseline, messages, run_columns, run_rows, state, widgets, wording
from metalm.dashboard.run_columns import Columns
from metalm.dashboard.table_height import table_height
from metalm.errors import FilterError
from metalm.home.grouping import SEED, RunGroup
from metalm.store.run_fields import field, settings
from metalm.store.run_table import RunQuery

CHOICES = ("ignoring", "by")
SEVERAL_SPLITS = " Of runs on several splits bits per byte have no mean: their tasks are not the same."
_MARK = "± "  # before the label of a standard deviation
_NEVER = ("run", "progress", "tags", "notes", "created", "finished", "id", "error", "split_id", "warm_start")


@dataclass(frozen=True)
class Ways:
    """What makes a group: everything but `ignoring`, or what `by` names."""

    ignoring: tuple[str, ...] = (SEED,)
    by: tuple[str, ...] = ()


def choose() -> Ways:
    """A button that opens the choice."""
    with st.popover("Grouped by", icon=":material/group_work:", key="runs.grouped"):
        ignorable = [SEED, "split", "warm_start", *settings()]
        ignoring = widgets.select_many(
            "Everything but",
            ignorable,
            "ignoring",
            placeholder="the seed",
            help="runs of a group are alike in all settings but these, and so are those they start from",
        )
        facts = ["algorithm", "split", "network", "seed", "warm_start", "tags", "trained_on"]
        by = widgets.select_many(
            "Or only by",
            [*facts, *settings()],
            "by",
            placeholder="–",
            help="runs of a group are alike in these, whatever else they are",
        )
    return Ways(tuple(ignoring) or (SEED,), tuple(by))


def groups_of(ways: Ways) -> dict[str, RunGroup]:
    """Run id -> its group; of every run, whatever is shown."""
    return state.home().run_groups(ignoring=ways.ignoring, by=ways.by)


def show(query: RunQuery, columns: Columns, ways: Ways, is_live: bool) -> None:
    """A row a group. Selecting groups selects their runs."""
    try:
        groups = groups_of(ways)
    except FilterError as error:
        messages.error(error)
        return
    frame = run_rows.read(query, columns)
    table = summary(frame, groups, columns.keys)
    names = {key: list(part["run"]) for key, part in frame.groupby(_keys(frame, groups), sort=False)}
    before = state.choices("runs")
    rows = [i for i, key in enumerate(table.index) if names[key] and set(names[key]) <= set(before)]
    picked = st.dataframe(
        table.drop(columns=["split_id"]),
        key=f"groups.{hash(tuple(table.index))}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": rows}},
        height=table_height(len(table)),
        column_config=_looks(columns.keys),
        placeholder=wording.NOTHING,
        alt="Groups of runs",
    )
    shown = [key for i, key in enumerate(table.index) if i in picked.selection.rows]
    told = f"{wording.things(len(table), 'group')} of {wording.things(len(frame), 'run')}"
    st.caption(
        f"{told} · {len(shown)} selected. Mean and ± standard deviation over the runs shown that have "
        "the figure; n: how many have bits per byte. A group stays what it is, whichever others are shown."
        + SEVERAL_SPLITS
        * bool(table["split_id"].isna().any())
    )
    if picked.selection.rows != rows:
        state.choose("runs", [name for key in shown for name in names[key]])
        if is_live:
            st.rerun()


def _keys(frame: pd.DataFrame, groups: dict[str, RunGroup]) -> pd.Series:
    # A run that came while the page was made has no group yet: the next refresh has it.
    return frame["id"].map(lambda run_id: groups[run_id].key if run_id in groups else run_id)


def summary(frame: pd.DataFrame, groups: dict[str, RunGroup], keys: Sequence[str]) -> pd.DataFrame:
    """One row a group, in the order in which the frame first has one; index: the group's key.

    frame: columns by key, with id and split_id. An outcome gives its mean and standard deviation (none of a
    single run, and no bits per byte of runs on several splits, which do not compare), anything else the value
    that all runs share, or nothing. Columns carry labels; split_id is there too.
    """
    parts = frame.groupby(_keys(frame, groups), sort=False)
    named = {group.key: group.name for group in groups.values()}
    columns: dict[str, pd.Series] = {
        "group": pd.Series({key: named.get(key, "") for key, _ in parts}, dtype=str),
        "runs": parts.size(),
    }
    if "bits_per_byte" in frame:
        columns["n"] = parts["bits_per_byte"].count()
    shared = {
        key: _shared(parts, key) for key in ("split_id", *keys) if key not in _NEVER or key == "split_id"
    }
    for key in keys:
        if run_columns.is_outcome(key):
            comparable = shared["split_id"].notna() | (not run_columns.in_bits(key))
            means = parts[key].mean().where(comparable)
            columns[field(key).label] = means
            columns[_MARK + field(key).label] = parts[key].std().where(comparable)
            columns |= _difference(key, means, shared["split_id"])
        elif key in shared:
            values = shared[key] if key != "seconds" else parts[key].mean() / 60
            columns[field(key).label] = values
    columns["split_id"] = shared["split_id"]
    return pd.DataFrame(columns)


def _shared(parts: pd.api.typing.DataFrameGroupBy, key: str) -> pd.Series:
    return parts[key].first().where(parts[key].nunique(dropna=False) == 1)


def _difference(key: str, means: pd.Series, splits: pd.Series) -> dict[str, pd.Series]:
    """The means' distance from the baseline, of groups on its split."""
    pinned = baseline.run() if run_columns.in_bits(key) else None
    if pinned is None:
        return {}
    against = run_rows.figures(pinned, [key])[key]
    return {run_columns.difference(key): (means - against).where(splits == pinned.split_id)}


def _looks(keys: Sequence[str]) -> dict[str, object]:
    kinds = st.column_config
    looks = run_columns.config(keys, ())
    looks["group"] = kinds.TextColumn(width="medium", pinned=True, help="named after its oldest run")
    looks["n"] = kinds.NumberColumn(width="small", help="runs with bits per byte")
    looks["runs"] = kinds.NumberColumn(width="small", help="runs of this group that the filter leaves")
    spread = {"format": "%.3f", "help": "standard deviation over the runs of the group"}
    return looks | {
        _MARK + field(key).label: kinds.NumberColumn(**spread) for key in keys if run_columns.is_outcome(key)
    }
