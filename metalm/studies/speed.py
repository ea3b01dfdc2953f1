"""How fast on a new task? Bits per byte against adaptation steps and seconds, past those trained with too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from metalm.config import run_config, setting
from metalm.evaluate import statistics
from metalm.studies import evidence
from metalm.studies.figures import Line, lines
from metalm.studies.plan import Asked, Planned
from metalm.studies.pretrained import META, TWIN, Pretrained, compared, told_split
from metalm.studies.report import Figure, Report, Section, Table

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

_NEAR = 0.01  # of the best mean: as good as there


@dataclass(frozen=True, kw_only=True)
class Speed(Pretrained):
    """Meta-trained runs and their twins, scored after each of many adaptation steps."""

    kind: ClassVar[str] = "speed"
    question: ClassVar[str] = "How fast on a new task?"
    explanation: ClassVar[str] = (
        "Trains a model jointly; from there one by meta-learning, and one jointly for as much compute. Both "
        "adapt to tasks that they have not seen, step by step, also for more steps than they were trained "
        "with. Three runs a seed: about a minute with the default settings."
    )
    beyond: int = setting(
        30, "adaptation steps to follow, also past those trained with", at_least=1, at_most=1000
    )

    def runs(self, home: Home, finished: Mapping[str, Run]) -> list[Planned]:  # noqa: ARG002
        return [each for seed in range(self.seeds) for each in self.three(self.split, seed)]

    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> Sequence[Asked]:
        keys = compared(runs, self.runs(home, runs))
        options = {"role": self.role, "support": self.support_bytes, "draws": self.draws}
        return [Asked(name="steps", keys=keys, steps=self.beyond, **options)]

    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
        trained = next(run for run in runs.values() if run.algorithm == self.algorithm)
        steps = run_config(trained.config).adaptation.steps
        table = by_step(rows)
        ends = pd.DataFrame([_end(each, steps) for each in _groups(table)])
        parts = [
            self._drawn(table[table["support_bytes"] == size], size, steps) for size in self.support_bytes
        ]
        return Report(
            title=self.question,
            findings=tuple(_finding(line, steps) for line in ends.to_dict("records")),
            sections=(
                Section(
                    title="Bits per byte after each step",
                    parts=(
                        f"{told_split(home, self.split, self.role)} Means over the tasks that all have, with "
                        f"the 95 % bootstrap interval over tasks. {META.capitalize()} runs were trained with "
                        f"{steps} adaptation steps; {TWIN} is the control: joint training, as much compute.",
                        *(figure for pair in parts for figure in pair),
                        Table.of("Bits per byte, and where it is best.", _ends_table(ends)),
                    ),
                ),
                Section(
                    title="The gain at each step",
                    parts=(
                        f"{META.capitalize()} minus {TWIN} after as many steps, paired over tasks: below "
                        "zero the meta-trained run needs fewer bits.",
                        Table.of("Difference in bits per byte.", gains(rows)),
                    ),
                ),
                Section(title="Every step", parts=(Table.of("Bits per byte.", evidence.means_table(table)),)),
            ),
        )

    def _drawn(self, table: pd.DataFrame, size: int, steps: int) -> list[Figure]:
        caption = f"After each step on {size:,} support bytes. The band is the 95 % interval over tasks."
        names = {"mean": "y"}
        by = {
            x: [
                Line(name=series, points=group.rename(columns={**names, x: "x"})[["x", "y", "low", "high"]])
                for series, group in table.groupby("series")
            ]
            for x in ("adaptation_step", "seconds")
        }
        return [
            lines(
                f"steps-{size}",
                by["adaptation_step"],
                x="adaptation steps",
                y=evidence.BITS,
                caption=caption,
                mark=(steps, "trained with"),
            ),
            lines(
                f"seconds-{size}",
                by["seconds"],
                x="seconds of adaptation, mean over tasks",
                y=evidence.BITS,
                caption=caption.replace("each step", "the seconds that its steps took"),
            ),
        ]


def by_step(rows: pd.DataFrame) -> pd.DataFrame:
    """`means` of every step, with the mean seconds of adaptation until then."""
    cell = ["series", "support_bytes", "adaptation_step"]
    seconds = rows[~rows["seen"]].groupby(cell, as_index=False)["seconds"].mean()
    return evidence.means(rows, at_last=False).merge(seconds, on=cell)


def _groups(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [group for _, group in table[table["support_bytes"] > 0].groupby(["support_bytes", "series"])]


def _end(group: pd.DataFrame, trained: int) -> dict[str, object]:
    """Where a series is best at one support size, and the first step that is near there."""
    best = group.loc[group["mean"].idxmin()]
    near = group[group["mean"] <= (1 + _NEAR) * best["mean"]].iloc[0]
    last = group.iloc[-1]
    return {
        "series": best["series"],
        "support_bytes": int(best["support_bytes"]),
        "tasks": int(best["tasks"]),
        "before": group.iloc[0]["mean"],
        "as_trained": group[group["adaptation_step"] <= trained].iloc[-1]["mean"],
        "best": best["mean"],
        "best_step": int(best["adaptation_step"]),
        "near_step": int(near["adaptation_step"]),
        "near_seconds": near["seconds"],
        "last": last["mean"],
        "last_step": int(last["adaptation_step"]),
    }


def _ends_table(ends: pd.DataFrame) -> pd.DataFrame:
    return ends.rename(
        columns={
            "support_bytes": "support bytes",
            "before": "before adaptation",
            "as_trained": "after the steps trained with",
            "best_step": "best after steps",
            "near_step": "within 1 % after steps",
            "near_seconds": "seconds until then",
            "last": "after the last step",
            "last_step": "last step",
        }
    )


def _finding(end: Mapping[str, object], trained: int) -> str:
    beyond = "it still gains" if end["best_step"] > trained else "it gains nothing more"
    worse = end["last"] > (1 + _NEAR) * end["best"]
    return (
        f"At {end['support_bytes']:,} support bytes {end['series']} is within 1 % of its best after "
        f"{end['near_step']} steps ({end['near_seconds']:.2g} s a task); beyond {trained} steps {beyond}"
        + (f", and at {end['last_step']} steps it has lost some of it again." if worse else ".")
    )


def gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Meta-trained minus its control after every step, paired over tasks."""
    tasks = statistics.by_task(rows)
    found = []
    for step, group in tasks.groupby("adaptation_step"):
        for difference in statistics.paired(statistics.balanced(group), TWIN, META):
            found.append(
                {
                    "support bytes": difference.support_bytes,
                    "steps": step,
                    "tasks": difference.tasks,
                    "difference": difference.mean,
                    evidence.LOW: difference.low,
                    evidence.HIGH: difference.high,
                    "relative %": 100 * difference.relative,
                    "wins": difference.wins,
                    "losses": difference.losses,
                }
            )
    return pd.DataFrame(found).sort_values(["support bytes", "steps"]).reset_index(drop=True)
