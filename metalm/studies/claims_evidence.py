"""What a `claims` study claims of a family of folds, and what was measured.

Tasks of a family's folds are taken together, each with the runs of the fold that kept it unseen; means and
differences are over tasks, paired, with seeds and support draws pooled within a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from metalm.evaluate import statistics
from metalm.studies import evidence

# (claim, what is measured, against what, per cent that it must at least be better by at each support size)
_AT_ALL: dict[int, float] = {512: 0.0, 2048: 0.0, 10240: 0.0}
_STATIC, _FEW = {512: 3.0, 2048: 3.0, 10240: 1.0}, {512: 8.0, 2048: 8.0, 10240: 8.0}

_NO_TASKS = {"series": [""], "task_id": [""], "support_bytes": [0], "adaptation_step": [0], "value": [0.0]}


@dataclass(frozen=True)
class Compared:
    """A claim: `right` needs at least so many per cent fewer bits than `left`, at each support size."""

    claim: str
    tasks: pd.DataFrame
    left: str
    right: str
    targets: Mapping[int, float]
    needs_interval: bool = True


@dataclass(frozen=True)
class Family:
    """One family's evidence. best, control: the series that meta-validation chose."""

    name: str
    rows: pd.DataFrame
    best: str
    control: str

    def tasks(self, what: str) -> pd.DataFrame:
        """`by_task` of what was asked under this name, folds together, after the last step of each."""
        rows = self.rows[self.rows["asked"] == f"{self.name}: {what}"]
        parts = [
            statistics.by_task(part) for _, part in rows.groupby(["split_id", "track"]) if not part.empty
        ]
        if not parts:  # with the types that rows have: beside others they would become objects
            return pd.DataFrame(_NO_TASKS).iloc[:0]
        last = pd.concat([statistics.at_last_step(part) for part in parts], ignore_index=True)
        # Folds may be tuned to take different numbers of steps: a series is told by the largest.
        steps = last.groupby(["series", "support_bytes"])["adaptation_step"].transform("max")
        return last.assign(adaptation_step=steps)

    def along_the_way(self) -> pd.DataFrame:
        """`summary` after each step of those that were judged along the way, folds together.

        A task whose runs were tuned to take fewer steps than others stays as it is after its last one.
        """
        rows = self.rows[self.rows["asked"] == f"{self.name}: along the way"]
        if rows.empty:
            return pd.DataFrame(columns=["series", "support_bytes", "adaptation_step", "mean", "low", "high"])
        tasks = pd.concat([statistics.by_task(part) for _, part in rows.groupby("split_id")])
        return pd.concat([along(part) for _, part in tasks.groupby("support_bytes")], ignore_index=True)

    def same_seeds(self, what: str, *, as_for: str) -> pd.DataFrame:
        """`tasks` of the very runs that were judged under another name too."""
        keys = self.rows.loc[self.rows["asked"] == f"{self.name}: {as_for}", "key"].unique()
        return Family(self.name, self.rows[self.rows["key"].isin(keys)], self.best, self.control).tasks(what)

    def online(self) -> pd.DataFrame:
        """Those of the online track, bayes among them."""
        return pd.concat([self._track("online", "online"), self._track("formula", "online")])

    def formula(self) -> pd.DataFrame:
        """The article's formula on the static track."""
        return self._track("formula", "static")

    def _track(self, what: str, track: str) -> pd.DataFrame:
        part = self.rows[self.rows["track"] == track]
        return Family(self.name, part, self.best, self.control).tasks(what)


def along(tasks: pd.DataFrame) -> pd.DataFrame:
    """`summary` of tasks at one support size after the steps at which every one of them was judged, or later
    than its last."""
    wide = tasks.pivot(
        index=["series", "task_id", "support_bytes"], columns="adaptation_step", values="value"
    ).sort_index(axis=1)
    goes_on = wide.notna().iloc[:, ::-1].cummax(axis=1).iloc[:, ::-1]
    held = wide.ffill(axis=1).where(wide.notna() | ~goes_on).dropna(axis=1)
    return statistics.summary(held.stack().rename("value").reset_index())


def _compared(family: Family) -> list[Compared]:
    """The claims for which there are rows."""
    best, control = family.best, family.control
    static, few = family.tasks("static"), family.tasks("few steps")
    formula, online = family.formula(), family.online()
    cached = "dynamic evaluation + cache"
    one_rate = family.tasks("one rate")
    both_rates = pd.concat([family.same_seeds("static", as_for="one rate"), one_rate])
    found = [
        Compared("static, at as much compute", static, control, best, _STATIC),
        Compared("static, at most 5 steps", few, control, best, _FEW),
        Compared("online, GRU alone", online, "PPMd primed", f"{best}: dynamic evaluation", _AT_ALL, False),
        Compared("online, GRU alone", online, "PPMd primed", f"{best}: bayes", _AT_ALL, False),
        Compared("online, with cache mixing", online, "PPMd primed", f"{best}: {cached}", _AT_ALL, False),
        Compared("online, with cache mixing", online, "PPMd", f"{best}: {cached}", _AT_ALL, False),
        Compared(
            "online, with cache mixing", online, f"{control}: {cached}", f"{best}: {cached}", _AT_ALL, False
        ),
        Compared("posterior pool", formula, f"{best}: pool", f"{best}: posterior pool", _AT_ALL),
        *(
            Compared("learned rates", both_rates, series, series.removesuffix(": one rate"), _AT_ALL)
            for series in one_rate["series"].unique()
        ),
    ]
    return [each for each in found if {each.left, each.right} <= set(each.tasks["series"])]


def claims_table(family: Family, sizes: Sequence[int]) -> pd.DataFrame:
    lines_ = []
    for each in _compared(family):
        for line in _differences(each.tasks, each.left, each.right):
            target = each.targets.get(line["support_bytes"])
            if line["support_bytes"] in sizes and target is not None:
                lines_.append(_claim_line(each, line, target))
    return pd.DataFrame(lines_)


def near_far_table(family: Family) -> pd.DataFrame:
    """The static difference of the chosen run to its control, near tasks and far ones apart."""
    marks = family.rows.drop_duplicates("task_id").set_index("task_id")["near"]
    tasks, lines_ = family.tasks("static"), []
    for is_near, distance in ((True, "near"), (False, "far")):
        part = tasks[tasks["task_id"].map(marks).eq(is_near)]
        for line in _differences(part, family.control, family.best):
            lines_.append(
                {
                    "tasks": f"{line['tasks']} {distance}",
                    "support bytes": line["support_bytes"],
                    "difference": line["mean"],
                    evidence.LOW: line["low"],
                    evidence.HIGH: line["high"],
                    "median": line["median"],
                    "fewer bits %": -100 * line["relative"],
                    "wins": line["wins"],
                    "losses": line["losses"],
                }
            )
    return pd.DataFrame(lines_)


def _differences(tasks: pd.DataFrame, left: str, right: str) -> list[dict[str, object]]:
    both = tasks[tasks["series"].isin([left, right])]
    whole = both.groupby(["series", "support_bytes", "task_id"]).ngroups
    assert whole == len(both), "one line a task"
    return [asdict(each) for each in statistics.paired(both, left, right)]


def _claim_line(claim: Compared, line: Mapping[str, object], target: float) -> dict[str, object]:
    gain = -100 * line["relative"]
    is_sure = line["high"] < 0 or not claim.needs_interval
    return {
        "claim": claim.claim,
        "measured": claim.right,
        "against": claim.left,
        "support bytes": line["support_bytes"],
        "tasks": line["tasks"],
        "difference": line["mean"],
        evidence.LOW: line["low"],
        evidence.HIGH: line["high"],
        "median": line["median"],
        "fewer bits %": gain,
        "target %": target,
        "effect size": line["effect_size"],
        "wins": line["wins"],
        "losses": line["losses"],
        "met": "yes" if gain > 0 and gain >= target and is_sure else "no",
    }
