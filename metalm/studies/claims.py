"""Does it adapt better, by how much, and how sure are we? Algorithms and controls, seeds and folds.

Everything that is chosen is chosen on meta-validation, before a meta-test task is read: the algorithm that
stands for meta-training, and the settings of its control, joint training continued for as much compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

import pandas as pd

from metalm.config import setting
from metalm.config.settings import pairs
from metalm.errors import ConfigError, SplitError
from metalm.studies.claims_keys import is_of, key_of, those_of, validated
from metalm.studies.plan import Asked, Planned, Study, has_diverged, numbers
from metalm.studies.pretrained import MetaAlgorithm, PresetName
from metalm.studies.report import Report

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

JOINT, SEQUENTIAL, CONTROL = "joint", "sequential", "joint continued"
FEW_STEPS = 5
_ALIKE = 0.05  # compute that differs by less is as much


@dataclass(frozen=True, kw_only=True)
class Claims(Study):
    """Joint pre-training, from there each algorithm and the control, on every fold of every family."""

    kind: ClassVar[str] = "claims"
    question: ClassVar[str] = "Does it adapt better, by how much, and how sure are we?"
    explanation: ClassVar[str] = (
        "Trains a model jointly; from there one by each meta-learning algorithm, and the control: joint "
        "training for as much compute, its settings chosen as carefully. All are judged on meta-test tasks "
        "by every way to adapt, beside baselines and compressors. This opens meta-test, and takes most of an "
        "hour with the default settings."
    )
    splits: str = setting("languages,domains", "task splits; one of several folds stands for all of them")
    algorithms: str = setting("fomaml,meta-sgd", "the meta-learning algorithms")
    preset: PresetName = setting("small", "size of the network")
    seeds: int = setting(3, "runs of each kind", at_least=1, at_most=100)
    costly_seeds: int = setting(
        1, "of them, those judged by other ways, experts and caches too", at_least=1, at_most=100
    )
    joint_tokens: int = setting(
        4_000_000, "tokens of joint pre-training; folds of a family share them", at_least=1
    )
    meta_tokens: int = setting(2_000_000, "tokens of meta-training; likewise", at_least=1)
    support: str = setting("512,2048,10240", "bytes of the support sets")
    draws: int = setting(1, "support sets of each size in a task", at_least=1, at_most=100)
    joint_set: str = setting(
        "drawing.meta_batch=8,validation.steps=20,validation.lr=0.25,validation.every=250",
        "further settings of joint pre-training",
    )
    meta_set: str = setting(
        "meta-sgd.first_order=true,inner.lr=0.5,inner.batch=4,optimizer.lr=0.001,"
        "drawing.made_up=0.2,validation.steps=20,validation.lr=0.25",
        "further settings of meta-trained runs, where their algorithm has them",
    )
    controls: str = setting(
        "drawing.made_up=0.2",
        "other settings of the control that the first seed tries, with ; between; the best is taken",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.algorithm_names) - set(get_args(MetaAlgorithm)))
        if unknown or not self.algorithm_names:
            raise ConfigError(
                f"algorithms must be some of {', '.join(get_args(MetaAlgorithm))}, got {self.algorithms!r}"
            )
        _ = self.support_bytes, self.variants, pairs("joint_set", self.joint_set)

    @property
    def algorithm_names(self) -> tuple[str, ...]:
        """The algorithms, each once."""
        return tuple(dict.fromkeys(filter(None, map(str.strip, self.algorithms.split(",")))))

    @property
    def support_bytes(self) -> tuple[int, ...]:
        """The sizes of the support sets, rising."""
        return numbers("support", self.support)

    @property
    def variants(self) -> dict[str, dict[str, str]]:
        """What the control tries beside joint pre-training's own settings, by series."""
        told = [text.strip() for text in self.controls.split(";") if text.strip()]
        return {f"{CONTROL}, {text}": pairs("controls", text) for text in told}

    def families(self, home: Home) -> dict[str, list[str]]:
        """The folds of each split that is named: those of its family, by name."""
        named = [home.split(ref) for ref in filter(None, map(str.strip, self.splits.split(",")))]
        return {
            split.name: sorted(
                each.name
                for each in home.splits()
                if (each.family, each.folds) == (split.family, split.folds)
            )
            for split in named
        }

    def check(self, home: Home) -> None:
        for folds in self.families(home).values():
            for name in folds:
                for role in ("meta-validation", "meta-test"):
                    if not home.split(name).of_role(role):
                        raise SplitError(f"split {name!r} must have a task in {role}, got none")

    # ---- what is trained ----

    def runs(self, home: Home, finished: Mapping[str, Run]) -> list[Planned]:
        planned: list[Planned] = []
        for folds in self.families(home).values():
            for seed in range(self.seeds):
                for split in folds:
                    planned += self._first(split, seed, len(folds))
                    planned += self._controls(home, folds, split, seed, finished)
        return planned

    def num_runs(self, home: Home, finished: Mapping[str, Run]) -> int:
        folds = sum(map(len, self.families(home).values()))
        later = folds * (1 + len(self.variants) + self.seeds - 1)
        return max(
            len(self.runs(home, finished)), folds * self.seeds * (2 + len(self.algorithm_names)) + later
        )

    def _first(self, split: str, seed: int, num_folds: int) -> list[Planned]:
        """What can be planned at once: joint, sequential, and every algorithm from joint."""
        joint, common = key_of(JOINT, split, seed), {"split": split, "seed": seed}
        first = {"budget.unit": "tokens", "budget.amount": str(self.joint_tokens // num_folds)}
        then = {"budget.unit": "tokens", "budget.amount": str(self.meta_tokens // num_folds)}
        more = pairs("joint_set", self.joint_set)
        return [
            Planned(key=joint, series=JOINT, preset=self.preset, settings={**first, **more}, **common),
            Planned(
                key=key_of(SEQUENTIAL, split, seed),
                series=SEQUENTIAL,
                algorithm=SEQUENTIAL,
                preset=self.preset,
                settings={**then, **those_of(SEQUENTIAL, more)},
                may_diverge=True,
                **common,
            ),
            *(
                Planned(
                    key=key_of(name, split, seed),
                    series=name,
                    algorithm=name,
                    settings={**then, **those_of(name, pairs("meta_set", self.meta_set))},
                    init=joint,
                    **common,
                )
                for name in self.algorithm_names
            ),
        ]

    def _controls(
        self, home: Home, folds: Sequence[str], split: str, seed: int, finished: Mapping[str, Run]
    ) -> list[Planned]:
        """The control for each amount of compute, and of the first of them the variants."""
        first, *others = self.algorithm_names
        runs = {name: finished.get(key_of(name, split, seed)) for name in self.algorithm_names}
        if any(run is None for run in runs.values()):
            return []
        planned, common = [], {"split": split, "seed": seed}
        wanted = home.gradient_evaluations(runs[first])
        if seed == 0 or self.control(folds, finished) == CONTROL:
            planned.append(
                Planned(
                    key=key_of(CONTROL, split, seed),
                    series=CONTROL,
                    twin_of=key_of(first, split, seed),
                    **common,
                )
            )
        for series, settings in self.variants.items():
            if seed == 0 or self.control(folds, finished) == series:
                budget = {"budget.unit": "tokens", "budget.amount": str(wanted)}
                more = pairs("joint_set", self.joint_set)
                planned.append(
                    Planned(
                        key=key_of(series, split, seed),
                        series=series,
                        settings={**more, **budget, **settings},
                        init=key_of(JOINT, split, seed),
                        **common,
                    )
                )
        for name in others:
            if abs(home.gradient_evaluations(runs[name]) - wanted) > _ALIKE * wanted:
                series = f"{CONTROL} as {name}"
                twin = {"key": key_of(series, split, seed), "twin_of": key_of(name, split, seed)}
                planned.append(Planned(series=series, **twin, **common))
        return planned

    # ---- what is chosen, on meta-validation ----

    def control(self, folds: Sequence[str], finished: Mapping[str, Run]) -> str | None:
        """The series of the control: the best on meta-validation of those that the first seed tried."""
        tried = {series: validated(series, folds, [0], finished) for series in (CONTROL, *self.variants)}
        there = {series: bits for series, bits in tried.items() if bits is not None}
        return min(there, key=there.__getitem__) if len(there) == len(tried) else None

    def best(self, folds: Sequence[str], finished: Mapping[str, Run]) -> str:
        """The algorithm that is the best on meta-validation, the mean over folds and seeds."""
        seeds = range(self.seeds)
        bits = {name: validated(name, folds, seeds, finished) for name in self.algorithm_names}
        return min((name for name in bits if bits[name] is not None), key=lambda name: bits[name])

    def control_of(self, name: str, folds: Sequence[str], finished: Mapping[str, Run]) -> str:
        """The control of an algorithm: that for as much compute."""
        own = f"{CONTROL} as {name}"
        chosen = self.control(folds, finished)
        assert chosen is not None, "all that the first seed tries is finished"
        return own if any(key.startswith(f"{own},") for key in finished) else chosen

    # ---- what is asked ----

    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> list[Asked]:
        runs = {key: run for key, run in runs.items() if not has_diverged(run)}
        asked = []
        test = {"role": "meta-test", "support": self.support_bytes, "draws": self.draws, "ends": True}
        for family, folds in self.families(home).items():
            best = self.best(folds, runs)
            judged = {best, self.control_of(best, folds, runs)}
            keys = {
                series: tuple(key for key in runs if is_of(key, series, folds))
                for series in {each.series for each in self.runs(home, runs)}
            }
            both = tuple(key for series in sorted(judged) for key in keys[series])
            static = tuple(key for series in sorted(keys) for key in keys[series])
            costly = tuple(key for key in both if int(key.rpartition(" ")[2]) < self.costly_seeds)
            of_best = tuple(key for key in costly if is_of(key, best, folds))
            asked += [
                Asked(name=f"{family}: static", keys=static, **test),
                Asked(name=f"{family}: few steps", keys=both, steps=FEW_STEPS, **test),
                Asked(name=f"{family}: ways", keys=of_best, methods=("ways",), **test),
                Asked(name=f"{family}: formula", keys=of_best, methods=("formula",), **test),
                Asked(name=f"{family}: baselines", keys=of_best, methods=("baselines",), **test),
                Asked(name=f"{family}: online", keys=costly, methods=("online",), **test),
            ]
        return asked

    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
        from metalm.studies.claims_report import report

        return report(self, home, rows, {key: run for key, run in runs.items() if not has_diverged(run)})
