"""Which run needs the fewest bits at one support size, and how sure that is: of all, near and far tasks.

Data and words, no streamlit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from metalm.dashboard import compare_evidence, compare_facets, palette
from metalm.dashboard.compare_evidence import Evidence
from metalm.evaluate import statistics
from metalm.text.splits import Split

_FEW = 6  # tasks; of fewer, an interval is rough, because it draws from these tasks alone


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Of a group of tasks: the series of the best run, and what it is better than.

    bits: the mean over `tasks`, those that all runs have. pair: the best less its rival, which is the control
    or, where that is the best itself, the next run; None without one. ahead: the baseline that needs fewer
    bits still, and its mean; None where no one does.
    """

    group: str
    tasks: int
    best: str
    bits: float
    pair: statistics.Difference | None
    ahead: tuple[str, float] | None


@lru_cache(maxsize=64)
def verdicts(
    evidence: Evidence, control: str, support_bytes: int, split: Split | None
) -> tuple[Verdict, ...]:
    """Of all tasks and, where the split tells them apart, of near and far ones; none where no task is shared.

    control: a series.
    """
    here = evidence.tasks[evidence.tasks["support_bytes"] == support_bytes]
    runs, parts = _parts(evidence, here, split)
    return tuple(_verdict(group, part, runs, control, here) for group, part in parts.items())


@lru_cache(maxsize=64)
def others_ahead(evidence: Evidence, support_bytes: int, split: Split | None) -> dict[str, dict[int, str]]:
    """Where another run has the lowest mean at another support size: group -> size -> its series.

    Only sizes that all runs of `support_bytes` were evaluated at: nobody is ahead by being there alone.
    """
    sizes = {
        int(size): _parts(evidence, here, split) for size, here in evidence.tasks.groupby("support_bytes")
    }
    compared, parts = sizes.pop(support_bytes, ([], {}))
    best = {group: wide[compared].mean().idxmin() for group, wide in parts.items()}
    found: dict[str, dict[int, str]] = {}
    for size, (runs, others) in sizes.items():
        for group, wide in others.items() if runs == compared else ():
            ahead = wide[runs].mean().idxmin()
            if ahead != best.get(group, ahead):
                found.setdefault(group, {})[size] = ahead
    return found


def _parts(
    evidence: Evidence, tasks: pd.DataFrame, split: Split | None
) -> tuple[list[str], dict[str, pd.DataFrame]]:
    """The runs in `tasks`, and tasks x series after the last step: all that the runs share, near and far."""
    scores = statistics.at_last_step(tasks)
    runs = [series for series in own(evidence) if series in set(scores["series"])]
    wide = scores.pivot(index="task_id", columns="series", values="value")
    wide = wide.dropna(subset=runs) if runs else wide[:0]
    distance = wide.index.map(compare_facets.groups(split, compare_facets.DISTANCE))
    parts = {compare_facets.ALL: wide, **{name: wide[distance == name] for name in ("near", "far")}}
    return runs, {group: part for group, part in parts.items() if len(part)}


def own(evidence: Evidence) -> list[str]:
    """The series that are runs."""
    return [series for series, style in evidence.styles.items() if style.colour != palette.NEUTRAL[0]]


def _verdict(group: str, wide: pd.DataFrame, runs: list[str], control: str, tasks: pd.DataFrame) -> Verdict:
    """wide: tasks x series. tasks: the lines behind it."""
    means = wide[runs].mean().sort_values(kind="stable")
    best = str(means.index[0])
    baselines = wide.drop(columns=runs).dropna(axis=1).mean().sort_values(kind="stable")
    rival = next((series for series in (control, *means.index) if series != best and series in wide), None)
    found = []
    if rival is not None:
        both = tasks[tasks["task_id"].isin(wide.index)]
        found = statistics.paired(both, rival, best, resamples=compare_evidence.resamples(both))
    is_beaten = len(baselines) and baselines.iloc[0] < means.iloc[0]
    return Verdict(
        group=group,
        tasks=len(wide),
        best=best,
        bits=float(means.iloc[0]),
        pair=found[0] if found else None,
        ahead=(str(baselines.index[0]), float(baselines.iloc[0])) if is_beaten else None,
    )


def words(verdict: Verdict, evidence: Evidence, named: Callable[[str], str] = str) -> str:
    """A sentence. named: how the name of a series is written where it is shown."""
    name = {series: named(style.name) for series, style in evidence.styles.items()}
    told = f"{name[verdict.best]} needs the fewest bits per byte, {verdict.bits:.3f}"
    if verdict.pair is not None:
        told += f": {_difference(verdict.pair, name[verdict.pair.left])}"
    if verdict.ahead is not None:
        told += f". {name[verdict.ahead[0]]} needs fewer still, {verdict.ahead[1]:.3f}"
    return f"{told}."


def _difference(pair: statistics.Difference, rival: str) -> str:
    told = f"{pair.mean:+.3f} against {rival}"
    if pair.tasks == 1:
        return f"{told}, on one task, which says little"
    is_clear = statistics.leaves_zero_out(pair.low, pair.high)
    interval = f"95 % interval {pair.low:+.3f} to {pair.high:+.3f}"
    sure = "significant: it leaves zero out" if is_clear else "not significant: it holds zero"
    few = "; with so few tasks that is rough" if pair.tasks < _FEW else ""
    return f"{told} over {pair.tasks} tasks, {interval}; {sure}{few}"
