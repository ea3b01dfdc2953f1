"""Evaluations of several runs, brought to what may be compared: one split, one role, one adaptation a series.

Data only, no streamlit. A series is a run, by its id, or a baseline, by its method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from metalm.dashboard import palette
from metalm.dashboard.palette import RunStyle
from metalm.evaluate import statistics
from metalm.evaluate.bootstrap import RESAMPLES

_DRAWS = 500_000  # tasks drawn for all resamples of an interval: what takes a moment
# What a run itself does: by its own adaptation on the static track, going on learning on the online track.
OWN_METHODS = ("adapt", "dynamic evaluation")


@dataclass(frozen=True)
class Place:
    """Where runs were evaluated: results meet only on the same split, by its hash, role and track."""

    split_id: str
    split: str
    role: str
    track: str = "static"

    @property
    def is_online(self) -> bool:
        """Whether one score a task is all there is: what learns while it codes takes no steps before."""
        return self.track == "online"

    @property
    def measured(self) -> str:
        """What a score here is, in words."""
        return "Bits per byte, learning while coding" if self.is_online else "Bits per byte after adaptation"

    def __str__(self) -> str:
        place = f"{self.split} · {self.role}"
        return place if self.track == "static" else f"{place} · {self.track} track"


@dataclass(frozen=True, eq=False)  # one is another's equal only when it is the same: what follows is kept
class Evidence:
    """All results at one place.

    tasks: lines of `statistics.by_task`, less those that a run has seen. marks: one line a task with
    task_id, task (name) and near. seen: how many tasks one of the series was trained on. missing: ids of the
    runs without any result here. superseded: whether older results, with another adaptation, were left out.
    """

    place: Place
    tasks: pd.DataFrame
    marks: pd.DataFrame
    styles: dict[str, RunStyle]
    seen: int
    missing: tuple[str, ...]
    superseded: bool

    def named(self, lines: pd.DataFrame) -> pd.DataFrame:
        """`lines` with the task's name and mark, and the series' name."""
        lines = lines.merge(self.marks, on="task_id", how="left")
        return lines.assign(name=[self.styles[series].name for series in lines["series"]])


def places(rows: pd.DataFrame, run_ids: Sequence[str]) -> list[Place]:
    """Where any of the runs has results: static first, most of the runs, meta-validation before meta-test."""
    own = rows[rows["run_id"].isin(run_ids)]
    counts = own.groupby(["split_id", "split", "role", "track"], sort=False)["run_id"].nunique()
    ranked = sorted(counts.items(), key=lambda i: (i[0][3] != "static", -i[1], i[0][2] == "meta-test"))
    return [Place(*place) for place, _ in ranked]


def gather(rows: pd.DataFrame, place: Place, names: Mapping[str, str]) -> Evidence:
    """The evidence of the runs `names` (id -> name) and of all baselines at `place`."""
    here = rows[
        (rows["split_id"] == place.split_id) & (rows["role"] == place.role) & (rows["track"] == place.track)
    ]
    is_own = here["method"].isin(OWN_METHODS)
    own, baseline = here["run_id"].isin(names) & is_own, ~is_own
    here = here[own | baseline].reset_index(drop=True)
    here = here.assign(series=series_of(here))
    newest = here.groupby("series")["adaptation"].transform("last")
    kept = here[here["adaptation"] == newest]
    baselines = sorted(kept.loc[~kept["method"].isin(OWN_METHODS), "series"].unique())
    found = set(kept["series"])
    return Evidence(
        place=place,
        tasks=statistics.by_task(kept),
        marks=here.drop_duplicates("task_id")[["task_id", "task", "near"]],
        styles=palette.run_styles(names) | palette.baseline_styles(baselines),
        seen=int(kept.loc[kept["seen"], "task_id"].nunique()),
        missing=tuple(run_id for run_id in names if run_id not in found),
        superseded=len(kept) < len(here),
    )


def resamples(tasks: pd.DataFrame) -> int:
    """How often tasks are drawn anew for an interval: all of RESAMPLES, fewer where there are many tasks."""
    return max(1000, min(RESAMPLES, _DRAWS // max(1, tasks["task_id"].nunique())))


def series_of(rows: pd.DataFrame) -> pd.Series:
    """The run's id for its own results; for a baseline its method, with the run it stands on, if any."""
    method = rows["method"].where(rows["run_id"].isna(), rows["method"] + " · " + rows["run"].fillna(""))
    return rows["run_id"].where(rows["method"].isin(OWN_METHODS), method)


def before_after(tasks: pd.DataFrame, support_bytes: int) -> pd.DataFrame:
    """`statistics.before_after` of one support size."""
    here = tasks[tasks["support_bytes"] == support_bytes]
    return statistics.before_after(here).drop(columns="support_bytes")


def scores(tasks: pd.DataFrame, support_bytes: int) -> pd.DataFrame:
    """The `value` of each (series, task) at one support size, after the last step."""
    return statistics.at_last_step(tasks[tasks["support_bytes"] == support_bytes])


def wide(evidence: Evidence, support_bytes: int, *, index: str = "task") -> pd.DataFrame:
    """`scores` as tasks x names of the series: the hardest task first, series in the order of choice.

    index: `task` for names, `task_id` for ids.
    """
    order = [style.name for style in evidence.styles.values()]
    lines = evidence.named(scores(evidence.tasks, support_bytes))
    table = lines.pivot_table(index=index, columns="name", values="value")
    table = table[[name for name in order if name in table]]
    return table.loc[table.mean(axis=1).sort_values(ascending=False).index]


def in_unit(tasks: pd.DataFrame, unit: statistics.Unit) -> pd.DataFrame:
    """The same lines with their `value` in another unit."""
    derive, count = statistics.UNITS[unit]
    return tasks.assign(value=derive(tasks["nats"], tasks[count]))


def vocabularies(tasks: pd.DataFrame, known: Mapping[str, str]) -> dict[str, str]:
    """What the tokens of each series are: those of runs are `known`, a baseline's are bytes or its own."""
    counts = tasks.groupby("series", sort=False)[["tokens", "bytes"]].sum()
    own = counts["tokens"] == counts["bytes"]
    return {series: known.get(series) or ("bytes" if own[series] else series) for series in counts.index}


def over_support(tasks: pd.DataFrame) -> pd.DataFrame:
    """Means after the last step by support size, over the tasks that every series has at every size."""
    return _summary(statistics.balanced(statistics.at_last_step(tasks)))


def _summary(tasks: pd.DataFrame) -> pd.DataFrame:
    return statistics.summary(tasks, resamples=resamples(tasks))


def over_steps(tasks: pd.DataFrame, support_bytes: int) -> pd.DataFrame:
    """Means by adaptation step at one support size, each series over the tasks that all series have."""
    here = tasks[tasks["support_bytes"] == support_bytes]
    shared = here.groupby("task_id")["series"].transform("nunique") == here["series"].nunique()
    steps = here[shared]
    # Series may have different steps: balance is asked of each step's own tasks.
    parts = [statistics.balanced(part) for _, part in steps.groupby("series")]
    return _summary(pd.concat(parts)) if parts else _summary(steps)


def paired(tasks: pd.DataFrame, control: str, others: Iterable[str]) -> list[statistics.Difference]:
    """The paired differences of each of `others` to `control`, itself left out."""
    rights = [series for series in others if series != control]
    return statistics.against(tasks, control, rights, resamples=resamples(tasks))


@lru_cache(maxsize=16)
def differences(evidence: Evidence, control: str) -> pd.DataFrame:
    """Paired differences of every series to `control`, one line a (series, support size); read them only."""
    return difference_lines(evidence.tasks, control, evidence.styles)


def difference_lines(tasks: pd.DataFrame, control: str, styles: Mapping[str, RunStyle]) -> pd.DataFrame:
    """The lines of `differences` over these tasks alone. styles: of the series, the control among them."""
    return pd.DataFrame(
        {
            "name": styles[one.right].name,
            "support_bytes": one.support_bytes,
            "tasks": one.tasks,
            "difference": one.mean,
            "low": one.low,
            "high": one.high,
            "median": one.median,
            "relative": 100 * one.relative,
            "effect_size": one.effect_size,
            "better": one.wins,
            "equal": one.ties,
            "worse": one.losses,
        }
        for one in paired(tasks, control, styles)
    )
