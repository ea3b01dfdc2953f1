"""Does it adapt better, by how much, and how sure are we? Algorithms and controls, seeds and folds.

Everything that is chosen is chosen on meta-validation, before a meta-test task is read: the algorithm that
stands for meta-training, its settings, and those of its control, joint training continued for as much
compute. A choice of settings is made with the first seed, from as many runs on either side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

import pandas as pd

from metalm.config import setting
from metalm.config.settings import pairs
from metalm.errors import ConfigError, SplitError
from metalm.studies.claims_keys import LEARN_RATES, is_of, key_of, those_of, validated
from metalm.studies.plan import Asked, Planned, Study, has_diverged, numbers
from metalm.studies.pretrained import MetaAlgorithm, PresetName
from metalm.studies.report import Report

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

JOINT, SEQUENTIAL, CONTROL = "joint", "sequential", "joint continued"
FEW_STEPS = 5
_COSTLY = ("along the way", "ways", "formula", "online")  # what is asked on `costly_splits` alone
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
        1,
        "of them, those that train sequentially and are judged by other ways, experts and caches, too",
        at_least=1,
        at_most=100,
    )
    costly_splits: str = setting(
        "languages", "of the splits, those on which other ways, experts and the online track are judged, too"
    )
    joint_tokens: int = setting(
        2_200_000, "tokens of joint pre-training; folds of a family share them", at_least=1
    )
    meta_tokens: int = setting(1_100_000, "tokens of meta-training; likewise", at_least=1)
    support: str = setting("512,2048,10240", "bytes of the support sets")
    draws: int = setting(1, "support sets of each size in a task", at_least=1, at_most=100)
    joint_set: str = setting(
        "drawing.meta_batch=8,validation.steps=20,validation.lr=0.25,validation.batch=4,validation.every=250",
        "further settings of joint pre-training",
    )
    meta_set: str = setting(
        "meta-sgd.first_order=true,inner.lr=0.5,inner.batch=4,optimizer.lr=0.001,"
        "validation.steps=20,validation.lr=0.25",
        "further settings of meta-trained runs, where their algorithm has them",
    )
    meta_tried: str = setting(
        "inner.steps=15",
        "other settings of meta-trained runs that the first seed tries, with ; between; the best are taken",
    )
    controls: str = setting(
        "optimizer.lr=0.001",
        "other settings of the control that the first seed tries, with ; between; the best is taken",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.algorithm_names) - set(get_args(MetaAlgorithm)))
        if unknown or not self.algorithm_names:
            raise ConfigError(
                f"algorithms must be some of {', '.join(get_args(MetaAlgorithm))}, got {self.algorithms!r}"
            )
        _ = self.support_bytes, self.tried(CONTROL), self.tried(""), pairs("joint_set", self.joint_set)

    @property
    def algorithm_names(self) -> tuple[str, ...]:
        """The algorithms, each once."""
        return tuple(dict.fromkeys(filter(None, map(str.strip, self.algorithms.split(",")))))

    @property
    def support_bytes(self) -> tuple[int, ...]:
        """The sizes of the support sets, rising."""
        return numbers("support", self.support)

    def tried(self, base: str) -> dict[str, dict[str, str]]:
        """Series -> what its settings add, of all that the first seed tries for an algorithm or `CONTROL`."""
        name = "controls" if base == CONTROL else "meta_tried"
        told = [text.strip() for text in getattr(self, name).split(";") if text.strip()]
        return {base: {}, **{f"{base}, {text}": pairs(name, text) for text in told}}

    def families(self, home: Home) -> dict[str, list[str]]:
        """The folds of each split that is named: those of its family, by name."""
        named = [home.split(name) for name in self.named(home, self.splits)]
        return {
            split.name: sorted(
                each.name
                for each in home.splits()
                if (each.family, each.folds) == (split.family, split.folds)
            )
            for split in named
        }

    def named(self, home: Home, text: str) -> list[str]:
        """The names of the splits that a setting names. NotFoundError."""
        return [home.split(ref).name for ref in filter(None, map(str.strip, text.split(",")))]

    def check(self, home: Home) -> None:
        self.named(home, self.costly_splits)
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
                    planned += self._joint(split, seed, len(folds))
                    planned += self._meta(folds, split, seed, finished)
                    planned += self._controls(home, folds, split, seed, finished)
        return planned

    def num_runs(self, home: Home, finished: Mapping[str, Run]) -> int:
        folds = sum(map(len, self.families(home).values()))
        kinds = 2 + len(self.algorithm_names)  # joint and the control
        once = sum(len(self.tried(base)) - 1 for base in (CONTROL, *self.algorithm_names))
        once += min(self.costly_seeds, self.seeds)  # sequential
        return max(len(self.runs(home, finished)), folds * (self.seeds * kinds + once))

    def _joint(self, split: str, seed: int, num_folds: int) -> list[Planned]:
        """Joint pre-training, and the article's own loop."""
        common, more = {"split": split, "seed": seed}, pairs("joint_set", self.joint_set)
        budget = {"budget.unit": "tokens", "budget.amount": str(self.joint_tokens // num_folds)}
        joint = Planned(
            key=key_of(JOINT, split, seed),
            series=JOINT,
            preset=self.preset,
            settings={**budget, **more},
            **common,
        )
        sequential = Planned(
            key=key_of(SEQUENTIAL, split, seed),
            series=SEQUENTIAL,
            algorithm=SEQUENTIAL,
            preset=self.preset,
            settings={**self._then(num_folds), **those_of(SEQUENTIAL, more)},
            may_diverge=True,
            **common,
        )
        return [joint, sequential] if seed < self.costly_seeds else [joint]

    def _meta(
        self, folds: Sequence[str], split: str, seed: int, finished: Mapping[str, Run]
    ) -> list[Planned]:
        """Every algorithm, from joint pre-training."""
        more = pairs("meta_set", self.meta_set)
        return [
            Planned(
                key=key_of(series, split, seed),
                series=series,
                algorithm=name,
                settings={**self._then(len(folds)), **those_of(name, {**more, **settings})},
                init=key_of(JOINT, split, seed),
                split=split,
                seed=seed,
            )
            for name in self.algorithm_names
            for series, settings in self._at(seed, name, folds, finished).items()
        ]

    def _controls(
        self, home: Home, folds: Sequence[str], split: str, seed: int, finished: Mapping[str, Run]
    ) -> list[Planned]:
        """The control for each amount of compute, and of the first of them what else is tried."""
        chosen = {name: self.chosen(name, folds, finished) for name in self.algorithm_names}
        keys = {name: key_of(series or name, split, seed) for name, series in chosen.items()}
        if None in chosen.values() or any(key not in finished for key in keys.values()):
            return []
        first, *others = self.algorithm_names
        planned, common = [], {"split": split, "seed": seed}
        wanted = home.gradient_evaluations(finished[keys[first]])
        budget = {"budget.unit": "tokens", "budget.amount": str(wanted)}
        for series, settings in self._at(seed, CONTROL, folds, finished).items():
            key = key_of(series, split, seed)
            if series == CONTROL:
                planned.append(Planned(key=key, series=series, twin_of=keys[first], **common))
                continue
            more = {**pairs("joint_set", self.joint_set), **budget, **settings}
            start = key_of(JOINT, split, seed)
            planned.append(Planned(key=key, series=series, settings=more, init=start, **common))
        for name in others:
            if abs(home.gradient_evaluations(finished[keys[name]]) - wanted) > _ALIKE * wanted:
                series = f"{CONTROL} as {name}"
                twin = {"key": key_of(series, split, seed), "twin_of": keys[name]}
                planned.append(Planned(series=series, **twin, **common))
        return planned

    def _then(self, num_folds: int) -> dict[str, str]:
        """The budget of what is not joint pre-training."""
        return {"budget.unit": "tokens", "budget.amount": str(self.meta_tokens // num_folds)}

    def _at(
        self, seed: int, base: str, folds: Sequence[str], finished: Mapping[str, Run]
    ) -> dict[str, dict[str, str]]:
        """What a seed trains of what is tried: the first all of it, the others what was chosen from that."""
        tried = self.tried(base)
        if seed == 0:
            return tried
        chosen = self.chosen(base, folds, finished)
        return {} if chosen is None else {chosen: tried[chosen]}

    # ---- what is chosen, on meta-validation ----

    def chosen(self, base: str, folds: Sequence[str], finished: Mapping[str, Run]) -> str | None:
        """The series of an algorithm, or of `CONTROL`: the best on meta-validation of those that the first
        seed tried; None as long as one of them is to be trained."""
        bits = {series: validated(series, folds, [0], finished) for series in self.tried(base)}
        there = {series: value for series, value in bits.items() if value is not None}
        return min(there, key=there.__getitem__) if len(there) == len(bits) else None

    def best(self, folds: Sequence[str], finished: Mapping[str, Run]) -> str:
        """The series of the algorithm that is the best on meta-validation, the mean over folds and seeds."""
        chosen = [self.chosen(name, folds, finished) for name in self.algorithm_names]
        bits = {name: validated(name, folds, range(self.seeds), finished) for name in chosen if name}
        return min((name for name in bits if bits[name] is not None), key=lambda name: bits[name])

    def control_of(self, series: str, folds: Sequence[str], finished: Mapping[str, Run]) -> str:
        """The control of an algorithm's series: that for as much compute."""
        own = f"{CONTROL} as {series.partition(',')[0]}"
        chosen = self.chosen(CONTROL, folds, finished)
        assert chosen is not None, "all that the first seed tries is finished"
        return own if any(key.startswith(f"{own},") for key in finished) else chosen

    def _unchosen(self, folds: Sequence[str], runs: Mapping[str, Run]) -> set[str]:
        """The series that the first seed tried in vain: no meta-test is opened for them."""
        bases = (CONTROL, *self.algorithm_names)
        return {series for base in bases for series in self.tried(base)} - {
            self.chosen(base, folds, runs) for base in bases
        }

    # ---- what is asked ----

    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> list[Asked]:
        runs = {key: run for key, run in runs.items() if not has_diverged(run)}
        asked, costly_families = [], self.named(home, self.costly_splits)
        test = {"role": "meta-test", "support": self.support_bytes, "draws": self.draws, "ends": True}
        for family, folds in self.families(home).items():
            best = self.best(folds, runs)
            judged = {best, self.control_of(best, folds, runs)}
            keys = {
                series: tuple(key for key in runs if is_of(key, series, folds))
                for series in {each.series for each in self.runs(home, runs)}
            }
            both = tuple(key for series in sorted(judged) for key in keys[series])
            unchosen = self._unchosen(folds, runs)
            static = tuple(key for series in sorted(set(keys) - unchosen) for key in keys[series])
            costly = tuple(key for key in both if int(key.rpartition(" ")[2]) < self.costly_seeds)
            of_best = tuple(key for key in costly if is_of(key, best, folds))
            rated = tuple(
                key
                for name in LEARN_RATES
                if name in self.algorithm_names
                for key in keys[self.chosen(name, folds, runs)]
                if int(key.rpartition(" ")[2]) < self.costly_seeds
            )
            wanted = [
                ("static", static, {}),
                ("few steps", both, {"steps": FEW_STEPS}),
                ("along the way", costly, {"ends": False}),
                ("one rate", rated, {"methods": ("one rate",)}),
                ("ways", of_best, {"methods": ("ways",)}),
                ("formula", of_best, {"methods": ("formula",)}),
                ("baselines", of_best, {"methods": ("baselines",)}),
                ("online", costly, {"methods": ("online",)}),
            ]
            asked += [
                Asked(name=f"{family}: {what}", keys=of, **{**test, **options})
                for what, of, options in wanted
                if of and (what not in _COSTLY or family in costly_families)
            ]
        return asked

    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
        from metalm.studies.claims_report import report

        return report(self, home, rows, {key: run for key, run in runs.items() if not has_diverged(run)})
