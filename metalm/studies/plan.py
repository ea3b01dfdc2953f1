"""What a study is made of: the runs that are planned, what is asked of them, and the study itself.

A study is a question with a few settings. It trains nothing and stores nothing: `carry_out` does what it
plans, by ordinary runs and evaluations, and gives it their rows to report on.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_type_hints

from metalm.config import OWN, RunConfig, Settings, make_config
from metalm.config.settings import parsed
from metalm.errors import ConfigError
from metalm.text.splits import Role

if TYPE_CHECKING:
    import pandas as pd

    from metalm.home import Home
    from metalm.store.runs import Run
    from metalm.studies.report import Report


DIVERGED = "diverged"  # the tag of a run of which it is known that it does, and of no other failure


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run of a study.

    key: what it is in the study, and how it is found again. series: what its rows are pooled under in tables;
    the seeds of one thing share it. settings: dotted keys and text, as `--set` takes them. init: the key of
    the run that it starts from. twin_of: the key of the run whose equal-compute control it is; then `split`,
    `series` and `key` are all that counts. may_diverge: such an end is a result, not the end of the study.
    """

    key: str
    series: str
    split: str
    algorithm: str = "joint"
    preset: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    init: str | None = None
    twin_of: str | None = None
    may_diverge: bool = False

    def config(self, parent: RunConfig | None) -> RunConfig:
        """The run's config; `parent` is that of the run it starts from. Raises ConfigError."""
        settings = {**self.settings, "seed": str(self.seed)}
        return make_config(self.algorithm, preset=self.preset, settings=settings, parent=parent)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Evaluations of runs: what `Home.evaluate` is asked, under a name by which rows are told apart."""

    name: str
    keys: tuple[str, ...]
    role: Role = "meta-validation"
    support: tuple[int, ...]
    steps: int | None = None
    draws: int = 1
    methods: tuple[str, ...] = OWN
    ends: bool = False

    def options(self) -> dict[str, Any]:
        """The keyword arguments of `Home.evaluate`."""
        names = ("role", "support", "steps", "draws", "methods", "ends")
        return {name: getattr(self, name) for name in names}


class Study(Settings, ABC):
    """A question. Its fields are its settings, each with help and range; all are numbers or text."""

    kind: ClassVar[str]
    question: ClassVar[str]
    explanation: ClassVar[str]  # what it does and what it costs, for who has to decide whether to launch it

    def check(self, home: Home) -> None:
        """Raises a MetalmError when it cannot be carried out in this home; asked before it is begun."""

    def prepare(self, home: Home) -> None:
        """Makes what the runs need, such as splits; called each time before they are planned."""

    @abstractmethod
    def runs(self, home: Home, finished: Mapping[str, Run]) -> Sequence[Planned]:
        """All runs that can be planned by now, given those that are finished; asked again after each.

        Among the finished are those that may diverge and did (`has_diverged`), here as in what follows. What
        was planned before stays planned, under the same key.
        """

    def num_runs(self, home: Home, finished: Mapping[str, Run]) -> int:
        """How many there will be, as far as can be told."""
        return len(self.runs(home, finished))

    @abstractmethod
    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> Sequence[Asked]:
        """What is asked of the runs, once all are finished."""

    @abstractmethod
    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:
        """The answer. rows: columns of `evaluations` with asked, key and series: see `evidence`."""

    @classmethod
    def settings(cls) -> list[tuple[str, Any, dataclasses.Field]]:
        """(name, type, field) of every setting, in their order."""
        hints = get_type_hints(cls)
        return [(f.name, hints[f.name], f) for f in dataclasses.fields(cls)]

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON data."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The study with these settings; text is read as a setting's own type. Raises ConfigError."""
        kinds = {name: kind for name, kind, _ in cls.settings()}
        if unknown := sorted(set(settings) - set(kinds)):
            raise ConfigError(f"no setting {unknown[0]!r} of a {cls.kind} study; it has {', '.join(kinds)}")
        return cls(
            **{
                name: parsed(name, value, kinds[name]) if isinstance(value, str) else value
                for name, value in settings.items()
            }
        )


def has_diverged(run: Run) -> bool:
    """A run that was allowed to diverge did."""
    return run.status == "failed" and DIVERGED in run.tags


def numbers(key: str, text: str, *, at_least: int = 0) -> tuple[int, ...]:
    """The whole numbers of `512,2048`, each once and rising. Raises ConfigError, which names `key`."""
    try:
        values = [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise ConfigError(f"{key} must be whole numbers with commas between, got {text!r}") from None
    if not values or min(values) < at_least:
        raise ConfigError(f"{key} must be numbers of {at_least} or more, got {text!r}")
    return tuple(sorted(set(values)))
