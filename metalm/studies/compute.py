"""What sets it apart from hyper-parameter optimisation? As much compute, spent on tuning joint training.

Trials are ordinary joint runs, one after another; each is planned from the results of those before by a
sampler that is made anew and told of them in order: a study that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from metalm.config import setting
from metalm.studies.compute_report import made
from metalm.studies.evidence import tuned_bits
from metalm.studies.plan import Asked, Planned, has_diverged
from metalm.studies.pretrained import META, TWIN, Pretrained
from metalm.studies.report import Report

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

TUNED = "tuned joint training"
# Of each thing that is tuned: its ends, and whether it is drawn on a logarithmic scale.
RANGES = {
    "optimizer.lr": (3e-4, 3e-2, True),
    "optimizer.weight_decay": (1e-3, 0.3, True),
    "model.dropout": (0.0, 0.4, False),
    "share": (0.125, 0.5, False),  # of the compute that meta-training took, for one trial
}
_AT_RANDOM = 4  # trials before the sampler learns from them
_TYPICAL = sum(RANGES["share"][:2]) / 2


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial and what it came to. compute: token-gradient evaluations; value: see `tuned_bits`."""

    run: Run
    compute: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Compute(Pretrained):
    """Meta-training, its twin, and trials of joint training until they have taken as much compute."""

    kind: ClassVar[str] = "compute"
    question: ClassVar[str] = "What sets it apart from hyper-parameter optimisation?"
    explanation: ClassVar[str] = (
        "Trains a model jointly and then by meta-learning. Then spends as much compute on tuning joint "
        "training instead: Optuna chooses step size, weight decay, dropout and length, by the score after "
        "fine-tuning on meta-validation. Both on one chart against compute. Six to ten runs a seed: about "
        "two minutes with the default settings."
    )
    times: float = setting(
        1.0, "how many times the compute of meta-training tuning may take", at_least=0.5, at_most=100.0
    )
    support: str = setting("512,2048", "bytes of the support sets")

    def runs(self, home: Home, finished: Mapping[str, Run]) -> list[Planned]:
        return [
            each
            for seed in range(self.seeds)
            for each in (*self.three(self.split, seed), *self._trials(home, finished, seed))
        ]

    def num_runs(self, home: Home, finished: Mapping[str, Run]) -> int:
        left = sum(self._left(home, finished, seed) for seed in range(self.seeds))
        planned = self.runs(home, finished)
        return max(len(planned), sum(each.key in finished for each in planned) + math.ceil(left / _TYPICAL))

    def _left(self, home: Home, finished: Mapping[str, Run], seed: int) -> float:
        """What of the seed's compute for tuning is left, in shares of what meta-training took."""
        whole = self.compute(home, finished, seed)
        spent = sum(trial.compute for trial in self.trials(home, finished, seed))
        return self.times - spent / whole if whole else self.times

    def compute(self, home: Home, runs: Mapping[str, Run], seed: int) -> int:
        """Token-gradient evaluations that joint pre-training and meta-training took; 0 before they end."""
        keys = [each.key for each in self.three(self.split, seed)[:2]]
        return sum(home.gradient_evaluations(runs[key]) for key in keys) if runs.keys() >= {*keys} else 0

    def trials(self, home: Home, finished: Mapping[str, Run], seed: int) -> list[Trial]:
        """The trials that have ended, in their order."""
        found: list[Trial] = []
        while (run := finished.get(self._key(len(found) + 1, seed))) is not None:
            value = math.inf if has_diverged(run) else tuned_bits(run)
            found.append(Trial(run=run, compute=home.gradient_evaluations(run), value=value))
        return found

    def _key(self, number: int, seed: int) -> str:
        return f"trial {number}" + (f" seed {seed}" if self.seeds > 1 else "")

    def _trials(self, home: Home, finished: Mapping[str, Run], seed: int) -> list[Planned]:
        """The trials that have ended, and the next one while compute is left for it."""
        whole, ended = self.compute(home, finished, seed), self.trials(home, finished, seed)
        planned = [self._trial(number, seed, None) for number in range(1, len(ended) + 1)]
        left = self.times * whole - sum(trial.compute for trial in ended)
        if whole and left >= RANGES["share"][0] * whole:
            chosen = suggested(ended, whole, seed)
            tokens = min(round(chosen.pop("share") * whole), round(left))
            settings = {name: f"{value:.6g}" for name, value in chosen.items()}
            settings = self.run_settings(tokens, self.joint_set) | settings
            planned.append(self._trial(len(ended) + 1, seed, settings))
        return planned

    def _trial(self, number: int, seed: int, settings: dict[str, str] | None) -> Planned:
        return Planned(
            key=self._key(number, seed),
            series=TUNED,
            split=self.split,
            preset=self.preset,
            settings=settings or {},  # one that has ended is not made again
            seed=seed,
            may_diverge=True,
        )

    def best(self, home: Home, runs: Mapping[str, Run], seed: int) -> str | None:
        """The key of the best trial by meta-validation; None when all diverged."""
        values = [trial.value for trial in self.trials(home, runs, seed)]
        if not values or not math.isfinite(min(values)):
            return None
        return self._key(values.index(min(values)) + 1, seed)

    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> Sequence[Asked]:
        options = {"role": self.role, "support": self.support_bytes, "draws": self.draws, "ends": True}
        best = [self.best(home, runs, seed) for seed in range(self.seeds)]
        threes = [each for seed in range(self.seeds) for each in self.three(self.split, seed)]
        keys = [each.key for each in threes if each.series in (META, TWIN)]
        return [Asked(name="compute", keys=(*keys, *filter(None, best)), **options)]

    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
        return made(home, self, rows, runs)


def suggested(ended: Sequence[Trial], whole: int, seed: int) -> dict[str, float]:
    """What the next trial is to try, by the names of RANGES; the first is the joint run's own settings."""
    if not ended:
        return {"share": RANGES["share"][1]}
    import optuna  # a second, and not needed for the other kinds

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {
        name: optuna.distributions.FloatDistribution(low, high, log=log)
        for name, (low, high, log) in RANGES.items()
    }
    # As many seeds as trials: a sampler that was told of three trials draws as one that made them would not.
    sampler = optuna.samplers.TPESampler(seed=1000 * seed + len(ended), n_startup_trials=_AT_RANDOM)
    study = optuna.create_study(sampler=sampler)
    for trial in ended:
        study.add_trial(_told(trial, whole, distributions))
    return study.ask(distributions).params


def _told(trial: Trial, whole: int, distributions: Mapping[str, Any]) -> Any:
    """A trial as Optuna knows one; what diverged has failed."""
    from optuna.trial import TrialState, create_trial

    config = trial.run.config
    params = {
        "optimizer.lr": config["algorithm"]["optimizer"]["lr"],
        "optimizer.weight_decay": config["algorithm"]["optimizer"]["weight_decay"],
        "model.dropout": config["model"]["dropout"],
        "share": config["budget"]["amount"] / whole,
    }
    inside = {name: min(max(value, RANGES[name][0]), RANGES[name][1]) for name, value in params.items()}
    has_value = math.isfinite(trial.value)
    return create_trial(
        params=inside,
        distributions=dict(distributions),
        value=trial.value if has_value else None,
        state=TrialState.COMPLETE if has_value else TrialState.FAIL,
    )
