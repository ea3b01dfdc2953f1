"""From rows to what may be claimed: a table a task, means over tasks with an interval, paired differences,
and where adaptation hurts.

The unit is the task. Seeds and support draws are pooled *within* a task, then tasks count alike; a task that
a run has seen never enters, and every mean over support sizes uses one balanced set of tasks. What is
compared (a run, a group of seeds, a baseline) is a **series**: the caller writes its name into the column
`series` of the rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from metalm import units
from metalm.config import length_for
from metalm.errors import SplitError
from metalm.evaluate.bootstrap import RESAMPLES, intervals

Unit = Literal["bits per byte", "bits per character", "nats per token", "perplexity"]
UNITS: dict[Unit, tuple[Callable, str]] = {
    "bits per byte": (units.bits_per_byte, "bytes"),
    "bits per character": (units.bits_per_character, "chars"),
    "nats per token": (units.nats_per_token, "tokens"),
    "perplexity": (units.perplexity, "tokens"),
}
_TIE = 1e-6  # a difference below it is none
_CELL = ["series", "support_bytes", "adaptation_step"]  # where tasks are averaged
_CONTENDER, _VERSION = ["run_id", "method", "split_id"], ["checkpoint_step", "adaptation"]
_COUNTS = ["nats", "tokens", "bytes", "chars"]


def newest(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run and method as it was evaluated last on a split: one checkpoint, one adaptation.

    rows: columns of `evaluations`, in the order in which they were made. A run that was extended, or
    evaluated with another rate, has older rows too, which must not be averaged with these.
    """
    contender, version = (_joined(rows, names) for names in (_CONTENDER, _VERSION))
    last = version.groupby(contender).transform("last")
    return rows[version == last]


def _joined(rows: pd.DataFrame, names: list[str]) -> pd.Series:
    """A number for each row's values in these columns: the same where they are, none being a value too."""
    # An adaptation that has not been stored yet is a dict, which does not group.
    values = rows[names].astype({name: str for name in names if name == "adaptation"})
    return values.groupby(names, sort=False, dropna=False).ngroup()


def by_task(rows: pd.DataFrame, *, unit: Unit = "bits per byte") -> pd.DataFrame:
    """One line a (series, task, support size, step): its `value` in `unit`, pooled over seeds and draws.

    rows: columns of `evaluations` and `series`; only the `newest` count, and none whose task the series has
    seen. The result has series, task_id, support_bytes, adaptation_step, nats, tokens, bytes, chars (sums),
    scores (how many rows were pooled) and value. Seeds may be tuned to take different numbers of steps: see
    `_held`. Raises SplitError when the rows stem from several splits, roles or tracks.
    """
    for column in ("split_id", "role", "track"):
        _check_one(rows, column)
    rows = _held(newest(rows))
    seen = rows[rows["seen"]][["series", "task_id"]].drop_duplicates()
    # Seen by one seed, out for the whole series: else seeds would be averaged over different tasks.
    pooled = (
        _without(rows, seen)
        .groupby(["series", "task_id", *_CELL[1:]], as_index=False)
        .agg(**{name: (name, "sum") for name in _COUNTS}, scores=("nats", "size"))
    )
    derive, count = UNITS[unit]
    return pooled.assign(value=derive(pooled["nats"], pooled[count]))


def _held(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, those after a run's last step repeated for the later steps of other runs of its series.

    So a step of a series pools all its runs, each as it stands by then. Left out are steps after which one
    of them was not judged although it went beyond.
    """
    if rows.empty:
        return rows
    contender, end = _joined(rows, [*_CONTENDER, *_VERSION]), _ends(rows)
    parts = []
    for _, group in rows.groupby(["series", "support_bytes"], sort=False):
        judged = group.groupby(contender[group.index])["adaptation_step"].agg(set)
        every = set().union(*judged)
        kept = {step for step in every if all(step in steps or step > max(steps) for steps in judged)}
        parts.append(group[group["adaptation_step"].isin(kept)])
        if len(judged) > 1:
            own = end[group.index]
            last = group[group["adaptation_step"] == own]
            parts += [last[own[last.index] < step].assign(adaptation_step=step) for step in kept]
    return pd.concat(parts, ignore_index=True)


def _ends(rows: pd.DataFrame) -> pd.Series:
    """The adaptation steps that each row's contender takes to a support set of its size."""
    number = _joined(rows, ["adaptation", "support_bytes"])
    first = rows.groupby(number).head(1)
    ends = {
        place: _end(adaptation, support_bytes)
        for place, adaptation, support_bytes in zip(
            number[first.index], first["adaptation"], first["support_bytes"], strict=True
        )
    }
    return number.map(ends)


def _end(adaptation: str | Mapping[str, Any], support_bytes: int) -> int:
    told = json.loads(adaptation) if isinstance(adaptation, str) else adaptation
    lengths = {int(size): steps for size, steps in told.get("lengths", {}).items()}
    return length_for(support_bytes, lengths, told.get("steps", 0)) if support_bytes else 0


def _check_one(rows: pd.DataFrame, column: str) -> None:
    values = sorted(rows[column].unique())
    if len(values) > 1:
        name = column.removesuffix("_id")
        raise SplitError(f"rows that are compared must be of one {name}, got {', '.join(values)}")


def at_last_step(tasks: pd.DataFrame) -> pd.DataFrame:
    """The lines of `by_task` after each (series, support size)'s last adaptation step; 0 bytes have step 0.

    A task that an interrupted evaluation has not brought so far is left out: steps are never mixed.
    """
    last = tasks.groupby(["series", "support_bytes"])["adaptation_step"].transform("max")
    return tasks[tasks["adaptation_step"] == last].reset_index(drop=True)


def before_after(tasks: pd.DataFrame) -> pd.DataFrame:
    """One line a (series, task, support size): value `before` and `after` adaptation, and what it `saved`.

    before: at step 0, after: at the series' last step, both with that support set; nan where it is missing.
    hurts: whether the value rose by more than a tie.
    """
    index = ["series", "task_id", "support_bytes"]
    before = tasks[tasks["adaptation_step"] == 0].set_index(index)["value"]
    after = at_last_step(tasks).set_index(index)["value"]
    table = pd.DataFrame({"before": before, "after": after}).reset_index()
    saved = table["before"] - table["after"]
    return table.assign(saved=saved, hurts=saved < -_TIE)


def hurt(tasks: pd.DataFrame) -> pd.DataFrame:
    """Where adaptation hurts, and by how much it `lost`; what lost most first.

    Columns series, task_id, support_bytes, before, after, lost.
    """
    table = before_after(tasks)
    worse = table[table["hurts"]].sort_values("saved", kind="stable", ignore_index=True)
    return worse.assign(lost=-worse["saved"]).drop(columns=["saved", "hurts"])


def balanced(tasks: pd.DataFrame) -> pd.DataFrame:
    """The lines of `by_task` whose task has a value in every (series, support size, step) that occurs."""
    cells = len(tasks[_CELL].drop_duplicates())
    full = tasks.groupby("task_id")["value"].transform("size") == cells
    return tasks[full].reset_index(drop=True)


def summary(tasks: pd.DataFrame, *, seed: int = 0, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Means over tasks: one line a (series, support size, step) with tasks, mean, low, high, median.

    low, high: 95 % bootstrap interval over tasks (percentiles), missing for a single task. Pass the tasks
    through `balanced` first when lines are to be compared with each other.
    """
    cells = {cell: group.sort_values("task_id")["value"].to_numpy() for cell, group in tasks.groupby(_CELL)}
    found = intervals(list(cells.values()), seed=seed, resamples=resamples)
    lines = [
        (*cell, len(values), values.mean(), low, high, np.median(values))
        for (cell, values), (low, high) in zip(cells.items(), found, strict=True)
    ]
    return pd.DataFrame(lines, columns=[*_CELL, "tasks", "mean", "low", "high", "median"])


def near_far(
    tasks: pd.DataFrame, near: Mapping[str, bool | None], *, seed: int = 0, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """`summary` of near and far tasks apart, told by the column `distance`; unmarked tasks are left out."""
    names = {task_id: "near" if mark else "far" for task_id, mark in near.items() if mark is not None}
    marked = tasks.assign(distance=tasks["task_id"].map(names)).dropna(subset="distance")
    parts = [
        summary(group, seed=seed, resamples=resamples).assign(distance=distance)
        for distance, group in marked.groupby("distance")
    ]
    if not parts:
        return summary(marked, seed=seed).assign(distance=pd.Series(dtype=str))
    table = pd.concat(parts, ignore_index=True)
    return table[["distance", *table.columns.drop("distance")]]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`right` minus `left` over the tasks that both have: below zero where `right` needs fewer bits."""

    left: str
    right: str
    support_bytes: int
    tasks: int
    mean: float
    low: float  # 95 % bootstrap interval over tasks of the mean; nan for a single task
    high: float
    median: float
    relative: float  # mean difference / mean of left
    effect_size: float  # Cohen's d_z: mean / standard deviation over tasks (n - 1); nan without a spread
    wins: int  # tasks on which right is better
    ties: int
    losses: int


def leaves_zero_out(low: Any, high: Any) -> Any:
    """Whether an interval of a difference, or each of many, is on one side of zero; not where it is nan."""
    return (low > 0) | (high < 0)


def paired(
    tasks: pd.DataFrame, left: str, right: str, *, seed: int = 0, resamples: int = RESAMPLES
) -> list[Difference]:
    """The differences between two series, one a support size that both have, each at its last step.

    A tie is a difference below 1e-6. A series against itself is zero, with no wins and no losses. The effect
    size is nan for a single task, without a spread between tasks (below a tie), or with an infinite value.

    Source of the effect size: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, 2.3.5.
    """
    return against(tasks, left, [right], seed=seed, resamples=resamples)


def against(
    tasks: pd.DataFrame, left: str, rights: Iterable[str], *, seed: int = 0, resamples: int = RESAMPLES
) -> list[Difference]:
    """`paired` of `left` with each of `rights`, in their order; those without a value are left out."""
    wide = at_last_step(tasks).pivot(index=["support_bytes", "task_id"], columns="series", values="value")
    both = [
        (right, int(size), pairs)
        for right in rights
        if left in wide and right in wide
        for size, pairs in wide[list(dict.fromkeys([left, right]))].dropna().groupby(level="support_bytes")
    ]
    # Where both diverged, infinity minus infinity, neither is better.
    changes = [(pairs[right] - pairs[left]).fillna(0.0).to_numpy() for right, _, pairs in both]
    found = intervals(changes, seed=seed, resamples=resamples)
    return [
        _difference(left, right, size, float(pairs[left].mean()), change, sure)
        for (right, size, pairs), change, sure in zip(both, changes, found, strict=True)
    ]


def _difference(
    left: str, right: str, support_bytes: int, of_left: float, change: np.ndarray, sure: tuple[float, float]
) -> Difference:
    low, high = sure
    tie = np.abs(change) < _TIE
    return Difference(
        left=left,
        right=right,
        support_bytes=support_bytes,
        tasks=len(change),
        mean=float(change.mean()),
        low=low,
        high=high,
        median=float(np.median(change)),
        relative=float(change.mean()) / of_left,
        effect_size=_effect_size(change),
        wins=int(np.sum(~tie & (change < 0))),
        ties=int(np.sum(tie)),
        losses=int(np.sum(~tie & (change > 0))),
    )


def _effect_size(change: np.ndarray) -> float:
    if len(change) < 2 or not np.isfinite(change).all():
        return float("nan")
    spread = float(np.std(change, ddof=1))
    return float(change.mean()) / spread if spread > _TIE else float("nan")


def left_out(rows: pd.DataFrame) -> pd.DataFrame:
    """What never enters a mean, and why: series, task_id, reason.

    The reason is "seen in training", or "no score at <n> bytes": the text is too short, or the work
    unfinished.
    """
    rows, names = newest(rows), ["series", "task_id"]
    seen = rows[rows["seen"]][names].drop_duplicates().assign(reason="seen in training")
    scored = at_last_step(by_task(rows))[[*names, "support_bytes"]]
    cells = scored[["series", "support_bytes"]].drop_duplicates()
    wanted = cells.merge(rows[names].drop_duplicates(), on="series")
    gaps = _without(_without(wanted, scored), seen[names])
    gaps = gaps.assign(reason="no score at " + gaps["support_bytes"].astype(str) + " bytes")
    table = pd.concat([seen, gaps], ignore_index=True)[[*names, "reason"]]
    return table.sort_values([*names, "reason"]).reset_index(drop=True)


def _without(lines: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The lines that match none of `others` in the columns that these have."""
    marked = lines.merge(others.drop_duplicates(), how="left", on=list(others.columns), indicator="met")
    return marked[marked["met"] == "left_only"].drop(columns="met")
