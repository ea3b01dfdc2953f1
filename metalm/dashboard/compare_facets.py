"""Tasks in groups: near and far, families, scripts; and what a mean difference comes to in each group.

Data only, no streamlit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metalm.dashboard import compare_evidence
from metalm.dashboard.compare_evidence import Evidence
from metalm.errors import NotFoundError
from metalm.text.splits import Split

if TYPE_CHECKING:
    from metalm.home import Home

ALL = "all tasks"
DISTANCE = "near and far"
_LEAST = "(none)"  # tasks that name no such group


def split_of(home: Home, evidence: Evidence) -> Split | None:
    """The split of the results; None when the home has only them, as of a run that was imported."""
    try:
        return home.split(evidence.place.split_id)
    except NotFoundError:
        return None


def offered(split: Split | None, task_ids: set[str]) -> list[str]:
    """By what the tasks can be told apart: all together, near and far, and each kind of group."""
    members = [member for member in (split.tasks if split else ()) if member.task.id in task_ids]
    kinds = {kind for member in members for kind in member.task.groups}
    told = [kind for kind in sorted(kinds) if _several({m.task.groups.get(kind) for m in members})]
    marked = {member.near for member in members if member.near is not None}
    return [ALL, *([DISTANCE] if marked else []), *told]


def _several(values: set[str | None]) -> bool:
    return len(values) > 1


def groups(split: Split | None, by: str) -> dict[str, str]:
    """Task id -> the group that it belongs to; without a split, or with ALL, all tasks are one group."""
    if split is None or by == ALL:
        return {}
    if by == DISTANCE:
        marks = {True: "near", False: "far", None: _LEAST}
        return {member.task.id: marks[member.near] for member in split.tasks}
    return {member.task.id: member.task.groups.get(by, _LEAST) for member in split.tasks}


@lru_cache(maxsize=16)
def forest(
    evidence: Evidence, control: str, support_bytes: int, split: Split | None, by: str
) -> pd.DataFrame:
    """Paired differences to `control` at one support size: of all tasks, then of each of their `groups`.

    One line a (group, series): group, series, name, tasks, difference, low, high, better, equal, worse.
    control: a series. Not to be changed. Groups come by name; those of tasks that name none come last.
    """
    here = evidence.tasks[evidence.tasks["support_bytes"] == support_bytes]
    parts = _parts(here, split, by)
    lines = [
        (group, one.right, evidence.styles[one.right].name, one.tasks, one.mean, one.low, one.high, one.wins,
         one.ties, one.losses)
        for group, part in parts.items()
        for one in compare_evidence.paired(part, control, evidence.styles)
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=_COLUMNS)


@lru_cache(maxsize=16)
def differences(evidence: Evidence, control: str, split: Split | None, by: str) -> pd.DataFrame:
    """`compare_evidence.differences` of all tasks and of each of their groups, told by the column `group`.

    A series' groups stand together, at each support size. Not to be changed; no column `group` where there
    are none.
    """
    parts = _parts(evidence.tasks, split, by)
    if len(parts) == 1:
        return compare_evidence.differences(evidence, control)
    found = [
        compare_evidence.difference_lines(part, control, evidence.styles).assign(group=group)
        for group, part in parts.items()
    ]
    table = pd.concat([lines for lines in found if len(lines)] or found[:1])
    if table.empty:
        return table
    order = {style.name: i for i, style in enumerate(evidence.styles.values())}
    places = table.assign(place=table["name"].map(order)).sort_values(
        ["place", "support_bytes"], kind="stable"
    )
    first = ["name", "group"]
    return places[[*first, *table.columns.drop(first)]].reset_index(drop=True)


def _parts(tasks: pd.DataFrame, split: Split | None, by: str) -> dict[str, pd.DataFrame]:
    """All `tasks`, then those of each group by name; those that name none come last."""
    labels = tasks["task_id"].map(groups(split, by))
    known = sorted(labels.dropna().unique(), key=lambda group: (group == _LEAST, group))
    return {ALL: tasks, **{group: tasks[labels == group] for group in known}}


_COLUMNS = [
    "group", "series", "name", "tasks", "difference", "low", "high", "better", "equal", "worse"
]  # fmt: skip


def ordered(wide: pd.DataFrame, group_of: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """`wide` (index: task ids) with the tasks of a group side by side, and the group of each line.

    The order within a group stays. Without groups nothing changes, and every group is "".
    """
    labels = [group_of.get(task_id, _LEAST) if group_of else "" for task_id in wide.index]
    places = sorted(range(len(labels)), key=lambda i: (labels[i] == _LEAST, labels[i], i))
    return wide.iloc[places], [labels[i] for i in places]


def missing(wide: pd.DataFrame) -> int:
    """How many of the cells hold no score."""
    return int(np.isnan(wide.to_numpy(float)).sum())
