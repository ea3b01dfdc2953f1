"""What can be set, once: small frozen dataclasses, checked at birth, each field with its line of help.

`RunConfig` is all that a training run needs beside the split. The Train page and `--set key=value` are
both made from the fields here, so a setting is added in this module and nowhere else. JSON in and out is
`to_json` and `run_config`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from metalm.errors import ConfigError

TokenizerKind = Literal["bytes", "characters", "bpe"]
DrawMethod = Literal["uniform", "size", "temperature"]
BudgetUnit = Literal["steps", "tokens", "minutes"]
DeviceName = Literal["auto", "cuda", "mps", "cpu"]


def setting(default: Any, help: str, *, at_least: float | None = None, at_most: float | None = None) -> Any:
    """A dataclass field with its help text and its range (both ends included)."""
    return field(default=default, metadata={"help": help, "at_least": at_least, "at_most": at_most})


class Settings:
    """Base of all config dataclasses: types and ranges are checked once, when the object is born."""

    section: ClassVar[str] = ""

    def key(self, field_name: str) -> str:
        """The dotted name by which users know a field: `inner.lr`."""
        return f"{self.section}.{field_name}" if self.section else field_name

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for f in dataclasses.fields(self):
            if "help" in f.metadata:
                self._check(f, getattr(self, f.name), hints[f.name])

    def _check(self, f: dataclasses.Field, value: Any, kind: Any) -> None:
        name = self.key(f.name)
        choices = get_args(kind)
        if choices and all(isinstance(choice, str) for choice in choices):
            if value not in choices:
                raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
            return
        if kind is bool:
            if not isinstance(value, bool):
                raise ConfigError(f"{name} must be true or false, got {value!r}")
            return
        if kind is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise ConfigError(f"{name} must be a whole number, got {value!r}")
        if kind is float and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            raise ConfigError(f"{name} must be a finite number, got {value!r}")
        low, high = f.metadata["at_least"], f.metadata["at_most"]
        if low is not None and value < low:
            raise ConfigError(f"{name} must be {low:g} or more, got {value!r}")
        if high is not None and value > high:
            raise ConfigError(f"{name} must be {high:g} or less, got {value!r}")


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


@dataclass(frozen=True, kw_only=True)
class InnerLoop(Settings):
    """Adaptation to one task: plain SGD steps on windows of its support set."""

    section = "inner"
    steps: int = setting(5, "adaptation steps on the support set", at_least=0, at_most=1000)
    lr: float = setting(0.3, "step size of each adaptation step", at_least=0.0, at_most=100.0)
    batch: int = setting(8, "windows in one adaptation step", at_least=1, at_most=4096)
    window: int = setting(64, "tokens predicted in one window", at_least=1, at_most=8192)
    clip: float = setting(1.0, "largest gradient norm of an adaptation step (0: no limit)", at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class Adam(Settings):
    """Plain Adam, as the article uses it: no schedule, no clipping."""

    section = "optimizer"
    lr: float = setting(1e-3, "step size", at_least=0.0, at_most=10.0)


@dataclass(frozen=True, kw_only=True)
class AdamW(Settings):
    """AdamW with linear warm-up, cosine decay over the budget, and gradient clipping."""

    section = "optimizer"
    lr: float = setting(3e-3, "largest step size, reached after the warm-up", at_least=0.0, at_most=10.0)
    warmup: int = setting(20, "outer steps until the step size is reached", at_least=0)
    final: float = setting(
        0.1, "share of the step size left at the end of the cosine", at_least=0.0, at_most=1.0
    )
    weight_decay: float = setting(0.01, "pull of the weights towards zero", at_least=0.0, at_most=10.0)
    clip: float = setting(1.0, "largest gradient norm of an outer step (0: no limit)", at_least=0.0)


@dataclass(frozen=True, kw_only=True)
class Sequential(Settings):
    """The article's loop: task after task, one Adam step a batch, the hidden state carried inside a task."""

    name: ClassVar[str] = "sequential"
    section = "sequential"
    batches: int = setting(
        8, "batches read from a task before the next task's turn", at_least=1, at_most=10000
    )
    batch: int = setting(8, "parallel streams in a batch", at_least=1, at_most=4096)
    window: int = setting(64, "tokens predicted in each stream of a batch", at_least=1, at_most=8192)
    optimizer: Adam = field(default_factory=Adam)


@dataclass(frozen=True, kw_only=True)
class Joint(Settings):
    """Ordinary pre-training: every batch mixes windows of the meta-batch's tasks. The baseline to beat."""

    name: ClassVar[str] = "joint"
    section = "joint"
    batch: int = setting(8, "windows of each task in an outer step", at_least=1, at_most=4096)
    window: int = setting(64, "tokens predicted in one window", at_least=1, at_most=8192)
    optimizer: AdamW = field(default_factory=AdamW)


@dataclass(frozen=True, kw_only=True)
class Fomaml(Settings):
    """MAML without second derivatives: the query gradient at the fast weights moves the slow weights."""

    name: ClassVar[str] = "fomaml"
    section = "fomaml"
    inner: InnerLoop = field(default_factory=InnerLoop)
    optimizer: AdamW = field(default_factory=AdamW)


@dataclass(frozen=True, kw_only=True)
class Reptile(Settings):
    """The slow weights move a share of the way to the mean of the fast weights."""

    name: ClassVar[str] = "reptile"
    section = "reptile"
    step_size: float = setting(
        0.5, "share of the way moved in the first outer step", at_least=0.0, at_most=1.0
    )
    final: float = setting(
        0.1, "share of the step size left at the end (linear decay)", at_least=0.0, at_most=1.0
    )
    inner: InnerLoop = field(default_factory=InnerLoop)


Algorithm = Sequential | Joint | Fomaml | Reptile
ALGORITHMS: dict[str, type[Algorithm]] = {kind.name: kind for kind in get_args(Algorithm)}


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

    @property
    def adaptation(self) -> InnerLoop:
        """How the run adapts to meta-validation tasks: as in training, where its algorithm adapts at all."""
        match self.algorithm:
            case Sequential(batch=batch, window=window) | Joint(batch=batch, window=window):
                steps, lr = self.validation.steps, self.validation.lr
                return InnerLoop(steps=steps, lr=lr, batch=batch, window=window)
            case Fomaml(inner=inner) | Reptile(inner=inner):
                return inner

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; `run_config` reads it back."""
        data = dataclasses.asdict(self)
        data["algorithm"] = {"name": self.algorithm.name, **data["algorithm"]}
        return data

    def with_settings(self, settings: Mapping[str, str]) -> RunConfig:
        """This config with dotted keys changed: `{"inner.lr": "0.1", "seed": "3"}`; values as typed text."""
        config = self
        for key, text in settings.items():
            config = _with_setting(config, key, text)
        return config

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


def _with_setting(config: RunConfig, key: str, text: str) -> RunConfig:
    for known, owner, f in _leaves(config):
        if known == key:
            value = _parse(key, text, get_type_hints(type(owner))[f.name])
            return _replace(config, owner, dataclasses.replace(owner, **{f.name: value}))
    raise ConfigError(
        f"no setting {key!r} for algorithm {config.algorithm.name!r}; "
        f"it has {', '.join(k for k, _, _ in _leaves(config))}"
    )


def _replace(tree: Any, old: Settings, new: Settings) -> Any:
    if tree is old:
        return new
    changes = {
        f.name: _replace(getattr(tree, f.name), old, new)
        for f in dataclasses.fields(tree)
        if isinstance(getattr(tree, f.name), Settings)
    }
    return dataclasses.replace(tree, **changes)


def _parse(key: str, text: str, kind: Any) -> Any:
    if kind is bool:
        truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in truth:
            raise ConfigError(f"{key} must be true or false, got {text!r}")
        return truth[text.lower()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ConfigError(
                f"{key} must be a {'whole ' if kind is int else ''}number, got {text!r}"
            ) from None
    return text


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
    values = {
        name: _build(hints[name], value)
        if isinstance(value, Mapping) and isinstance(hints[name], type)
        else value
        for name, value in data.items()
    }
    return kind(**values)
