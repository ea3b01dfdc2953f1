"""The network, the data and the budget of a run; and all of it together, with its JSON and its edits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from metalm.config.algorithms import ALGORITHMS, Algorithm, Episodic, Fomaml
from metalm.config.descent import InnerLoop
from metalm.config.settings import Settings, parsed, setting
from metalm.errors import ConfigError

TokenizerKind = Literal["bytes", "characters", "bpe"]
DrawMethod = Literal["uniform", "size", "temperature"]
BudgetUnit = Literal["steps", "tokens", "minutes"]
DeviceName = Literal["auto", "cuda", "mps", "cpu"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """The network: Embedding -> GRU -> Linear, as in the article."""

    section = "model"
    embedding: int = setting(64, "numbers that describe one token", at_least=1, at_most=8192)
    hidden: int = setting(256, "hidden units of each GRU layer", at_least=1, at_most=8192)
    layers: int = setting(1, "GRU layers, one above the other", at_least=1, at_most=8)
    dropout: float = setting(0.0, "share of activations dropped in training", at_least=0.0, at_most=0.9)
    tied: bool = setting(False, "input and output share one table (needs embedding = hidden)")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tied and self.embedding != self.hidden:
            raise ConfigError(
                "model.embedding must equal model.hidden when model.tied is true, "
                f"got {self.embedding} and {self.hidden}"
            )


PRESETS: dict[str, ModelConfig] = {
    "tiny": ModelConfig(embedding=32, hidden=64, layers=1),
    "small": ModelConfig(embedding=64, hidden=256, layers=1),
    "base": ModelConfig(embedding=96, hidden=512, layers=1),
    "large": ModelConfig(embedding=256, hidden=1024, layers=2),
}


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig(Settings):
    """How text becomes token ids."""

    section = "tokenizer"
    kind: TokenizerKind = setting(
        "bytes", "bytes: every script, no unknowns; characters or bpe: learned on meta-train"
    )
    vocabulary: int = setting(1024, "tokens to learn (bpe only)", at_least=257, at_most=60000)


@dataclass(frozen=True, kw_only=True)
class Drawing(Settings):
    """How the tasks of a meta-batch are drawn."""

    section = "drawing"
    method: DrawMethod = setting(
        "uniform", "every task alike, by its size in bytes, or by size to the power 1/temperature"
    )
    temperature: float = setting(
        2.0, "temperature only: 1 is by size, large is uniform", at_least=1.0, at_most=100.0
    )
    meta_batch: int = setting(4, "tasks averaged in one outer step", at_least=1, at_most=256)
    made_up: float = setting(
        0.0,
        "share of visits in a made-up script, another each time: prepares for scripts never seen, costs what "
        "the letters of real ones teach (bytes only)",
        at_least=0.0,
        at_most=1.0,
    )


@dataclass(frozen=True, kw_only=True)
class Budget(Settings):
    """When a run is finished."""

    section = "budget"
    unit: BudgetUnit = setting("steps", "what the budget counts: outer steps, tokens trained on, or minutes")
    amount: float = setting(500, "how many of them", at_least=0.01)


@dataclass(frozen=True, kw_only=True)
class Validation(Settings):
    """How often, and on how much, the meta-validation tasks are measured during training."""

    section = "validation"
    every: int = setting(100, "outer steps between two measurements (0: only at the end)", at_least=0)
    support_bytes: int = setting(2048, "bytes of each support set", at_least=0, at_most=1_000_000)
    query_bytes: int = setting(
        2048, "bytes of each query set that are scored", at_least=64, at_most=1_000_000
    )
    steps: int = setting(
        5,
        "adaptation steps before the score (joint and sequential; else inner.steps)",
        at_least=0,
        at_most=1000,
    )
    lr: float = setting(
        0.3, "step size of those adaptation steps (likewise; else inner.lr)", at_least=0.0, at_most=100.0
    )
    batch: int = setting(
        8, "windows in each of those adaptation steps (likewise; else inner.batch)", at_least=1, at_most=4096
    )


@dataclass(frozen=True, kw_only=True)
class RunConfig(Settings):
    """All that a run is told, beside its split. `init` is the id of the finished run that it starts from."""

    algorithm: Algorithm = field(default_factory=Fomaml)
    model: ModelConfig = field(default_factory=lambda: PRESETS["small"])
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    drawing: Drawing = field(default_factory=Drawing)
    budget: Budget = field(default_factory=Budget)
    validation: Validation = field(default_factory=Validation)
    seed: int = setting(0, "every random draw follows from it", at_least=0, at_most=2**31 - 1)
    device: DeviceName = setting("auto", "where to train; auto takes cuda, then mps, then cpu")
    init: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.drawing.made_up > 0 and self.tokenizer.kind != "bytes":
            raise ConfigError(
                f"drawing.made_up must be 0 where tokens are no bytes, got {self.drawing.made_up!r} with "
                f"{self.tokenizer.kind}"
            )

    @property
    def adaptation(self) -> InnerLoop:
        """How the run adapts to meta-validation tasks: as in training, where its algorithm adapts at all."""
        algorithm, validation = self.algorithm, self.validation
        if isinstance(algorithm, Episodic):
            return algorithm.inner
        return InnerLoop(
            steps=validation.steps, lr=validation.lr, batch=validation.batch, window=algorithm.window
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; `run_config` reads it back."""
        data = dataclasses.asdict(self)
        data["algorithm"] = {"name": self.algorithm.name, **data["algorithm"]}
        return data

    def with_settings(self, settings: Mapping[str, str]) -> RunConfig:
        """This config with dotted keys changed: `{"inner.lr": "0.1", "seed": "3"}`; values as typed text."""
        changes: dict[Settings, dict[str, Any]] = {}
        for key, text in settings.items():
            owner, f = self._place(key)
            changes.setdefault(owner, {})[f.name] = parsed(key, text, get_type_hints(type(owner))[f.name])
        return _changed(self, changes)

    def _place(self, key: str) -> tuple[Settings, dataclasses.Field]:
        """The dataclass that holds a dotted key, and its field there. Raises ConfigError."""
        for known, owner, f in _leaves(self):
            if known == key:
                return owner, f
        raise ConfigError(
            f"no setting {key!r} for algorithm {self.algorithm.name!r}; "
            f"it has {', '.join(known for known, _, _ in _leaves(self))}"
        )

    def keys(self) -> Iterator[tuple[str, Any, dataclasses.Field, Any]]:
        """Every key that `with_settings` takes: (key, value, field, type), in the order of the classes."""
        for key, owner, f in _leaves(self):
            yield key, getattr(owner, f.name), f, get_type_hints(type(owner))[f.name]


def _leaves(config: Settings) -> Iterator[tuple[str, Settings, dataclasses.Field]]:
    """Every single setting below `config`, as (key, the dataclass that holds it, its field)."""
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if isinstance(value, Settings):
            yield from _leaves(value)
        elif "help" in f.metadata:
            yield config.key(f.name), config, f


def _changed(tree: Any, changes: Mapping[Settings, Mapping[str, Any]]) -> Any:
    """`tree` with fields of its parts replaced at once: what goes together is judged when all is there."""
    parts = {
        f.name: _changed(getattr(tree, f.name), changes)
        for f in dataclasses.fields(tree)
        if isinstance(getattr(tree, f.name), Settings)
    }
    return dataclasses.replace(tree, **parts, **changes.get(tree, {}))


def run_config(data: Mapping[str, Any]) -> RunConfig:
    """The `RunConfig` that `RunConfig.to_json` wrote. Raises ConfigError on unknown names and bad values."""
    data = dict(data)
    algorithm = dict(data.pop("algorithm", {"name": "fomaml"}))
    name = algorithm.pop("name", None)
    if name not in ALGORITHMS:
        raise ConfigError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {name!r}")
    return _build(RunConfig, {**data, "algorithm": _build(ALGORITHMS[name], algorithm)})


def _build(kind: type, data: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    names = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(data) - names)
    if unknown:
        where = f"section {kind.section!r}" if kind.section else "a run's config"
        raise ConfigError(f"no setting {unknown[0]!r} in {where}")
    return kind(**{name: _value(hints[name], value) for name, value in data.items()})


def _value(kind: Any, value: Any) -> Any:
    """A setting as it is, or a section from its JSON."""
    if not (isinstance(kind, type) and issubclass(kind, Settings)) or isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(f"section {kind.section!r} must have settings by name, got {value!r}")
    return _build(kind, value)
