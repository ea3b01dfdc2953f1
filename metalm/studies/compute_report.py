"""What the study of compute found: both ways on one chart against compute, and judged side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.studies import evidence
from metalm.studies.figures import Line, lines
from metalm.studies.pretrained import JOINT, META, TWIN, told_split
from metalm.studies.report import Report, Section, Table

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run
    from metalm.studies.compute import Compute

COMPUTE = "token-gradient evaluations"
_VALUE = "meta-validation bits per byte"
_TUNING = "tuning joint training, best so far"


def made(home: Home, study: Compute, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
    """The report."""
    from metalm.studies.compute import TUNED

    seeds = [_Seed(home, study, runs, seed) for seed in range(study.seeds)]
    has_best = TUNED in set(rows["series"])
    gains = [evidence.differences(rows, TUNED, name) for name in (META, TWIN)] if has_best else []
    told = pd.concat(gains, ignore_index=True) if gains else pd.DataFrame()
    return Report(
        title=study.question,
        findings=(*(each.finding() for each in seeds), *_judged(told, TUNED)),
        sections=(
            Section(
                title="Against compute",
                parts=(
                    f"Compute is counted in {COMPUTE}, Hessian products included. A trial is joint training "
                    "from scratch, scored after fine-tuning with the best rate and steps of one grid, as all "
                    "others are. The first trial has the settings of joint pre-training.",
                    *(each.drawn() for each in seeds),
                    *(Table.of(f"Trials{each.told}, in their order.", each.table()) for each in seeds),
                ),
            ),
            Section(
                title="Judged side by side",
                parts=(
                    f"{told_split(home, study.split, study.role)} Of tuning, the trial that was best on "
                    "meta-validation.",
                    Table.of(
                        "Bits per byte after adaptation, means over tasks.",
                        evidence.means_table(evidence.means(rows)),
                    ),
                    *(
                        [Table.of("Differences, paired over tasks.", evidence.differences_table(told))]
                        if len(told)
                        else ["Every trial diverged: there is nothing to compare with."]
                    ),
                ),
            ),
        ),
    )


class _Seed:
    """What one seed's runs came to, and at which compute."""

    def __init__(self, home: Home, study: Compute, runs: Mapping[str, Run], seed: int) -> None:
        self.told = f" of seed {seed}" if study.seeds > 1 else ""
        self.name = f"compute-{seed}"
        self.trials = study.trials(home, runs, seed)
        joint, meta, twin = (runs[each.key] for each in study.three(study.split, seed))
        begin = home.gradient_evaluations(joint)
        self.whole = begin + home.gradient_evaluations(meta)
        self.values = {
            JOINT: evidence.tuned_bits(joint),
            META: evidence.tuned_bits(meta),
            TWIN: evidence.tuned_bits(twin),
        }
        self.at = {JOINT: begin, META: self.whole, TWIN: begin + home.gradient_evaluations(twin)}

    def best_so_far(self) -> pd.DataFrame:
        """Columns x, the compute spent on trials by then, and y, the best of them."""
        trials = pd.DataFrame({"x": [t.compute for t in self.trials], "y": [t.value for t in self.trials]})
        return trials.assign(x=trials["x"].cumsum(), y=trials["y"].cummin())

    def drawn(self) -> Any:
        """Both ways against compute."""
        ways = {META: (JOINT, META), TWIN: (JOINT, TWIN)}
        drawn = [
            Line(
                name=f"{JOINT}, then {name}",
                points=pd.DataFrame({"x": [self.at[k] for k in keys], "y": [self.values[k] for k in keys]}),
            )
            for name, keys in ways.items()
        ]
        best = self.best_so_far()
        drawn.append(Line(name=_TUNING, points=best[best["y"].map(math.isfinite)]))
        caption = f"After fine-tuning on meta-validation tasks{self.told}; every mark is a run."
        mark = (self.whole, "as much compute")
        return lines(self.name, drawn, x=COMPUTE, y=_VALUE, caption=caption, mark=mark)

    def table(self) -> pd.DataFrame:
        """A line a trial."""
        best = self.best_so_far()
        return pd.DataFrame(
            [
                {
                    "trial": number,
                    "step size": trial.run.config["algorithm"]["optimizer"]["lr"],
                    "weight decay": trial.run.config["algorithm"]["optimizer"]["weight_decay"],
                    "dropout": trial.run.config["model"]["dropout"],
                    "tokens": int(trial.run.config["budget"]["amount"]),
                    "compute so far": int(spent),
                    _VALUE: trial.value,
                    "best so far": so_far,
                }
                for number, (trial, spent, so_far) in enumerate(
                    zip(self.trials, best["x"], best["y"], strict=True), start=1
                )
            ]
        )

    def finding(self) -> str:
        """Who is ahead on meta-validation after as much compute."""
        best = self.best_so_far()
        within = best[best["x"] <= self.whole]["y"]
        if not len(within) or not math.isfinite(within.iloc[-1]):
            return f"No trial{self.told} came to an end within the compute that meta-training took."
        tuned, meta = within.iloc[-1], self.values[META]
        reached = best[best["y"] <= meta]["x"]
        later = (
            f" Tuning was as good after {reached.iloc[0] / self.whole:.2f} times it." if len(reached) else ""
        )
        return (
            f"With the compute of meta-training ({self.whole:,} {COMPUTE}) {len(within)} trials{self.told} "
            f"of joint training came to {tuned:.3f} bits per byte on meta-validation, meta-training to "
            f"{meta:.3f}, {TWIN} to {self.values[TWIN]:.3f}.{later}"
        )


def _judged(gains: pd.DataFrame, tuned: str) -> list[str]:
    return [
        f"At {line['support_bytes']:,} support bytes {line['right']} differs from {tuned} by "
        f"{100 * line['relative']:+.1f} %: {evidence.verdict(line)} (95 % interval {line['low']:+.3f} to "
        f"{line['high']:+.3f} bits per byte, {line['tasks']} tasks)."
        for line in gains.to_dict("records")
    ]
