"""The settings of each algorithm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, get_args

from metalm.config.descent import Adam, AdamW, InnerLoop
from metalm.config.settings import Settings, setting
from metalm.errors import ConfigError


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
class Episodic(Settings):
    """What all algorithms share that meet a task in episodes: adapt on its support set, then judge."""

    joint_weight: float = setting(
        0.0,
        "weight of the joint loss at the slow weights in the outer objective: keeps what is known before "
        "adaptation; free (it is taken on the support windows of the first adaptation step)",
        at_least=0.0,
        at_most=1000.0,
    )
    inner: InnerLoop = field(default_factory=InnerLoop)

    @property
    def takes_adam(self) -> bool:
        """Whether Adam may adapt: no derivative is taken through its steps."""
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        name, inner = self.section, self.inner
        if inner.adapts == "context" and not isinstance(self, Cavia):
            raise ConfigError(
                f"inner.adapts must be a set of weights for {name}, got 'context', which is cavia's"
            )
        if not self.takes_adam and inner.optimizer != "sgd":
            raise ConfigError(
                f"inner.optimizer must be sgd where {name} differentiates through the steps, "
                f"got {inner.optimizer!r}"
            )
        if inner.fisher and inner.proximal == 0 and not isinstance(self, Cavia):
            raise ConfigError("inner.fisher needs inner.proximal above 0, got 0; it weights that pull")
        if self.joint_weight > 0 and inner.steps == 0:
            raise ConfigError(
                f"{name}.joint_weight must be 0 when inner.steps is 0, got {self.joint_weight!r}"
            )


_FIRST_ORDER = "leave the second derivatives out: about a third of the time, and often nearly as good"


@dataclass(frozen=True, kw_only=True)
class Maml(Episodic):
    """The query loss after adaptation, descended exactly, through every adaptation step."""

    name: ClassVar[str] = "maml"
    section = "maml"
    optimizer: AdamW = field(default_factory=AdamW)

    @property
    def takes_adam(self) -> bool:
        return False


@dataclass(frozen=True, kw_only=True)
class Fomaml(Episodic):
    """MAML without second derivatives: the query gradient at the fast weights moves the slow weights."""

    name: ClassVar[str] = "fomaml"
    section = "fomaml"
    optimizer: AdamW = field(default_factory=AdamW)


@dataclass(frozen=True, kw_only=True)
class Reptile(Episodic):
    """The slow weights move a share of the way to the mean of the fast weights."""

    name: ClassVar[str] = "reptile"
    section = "reptile"
    step_size: float = setting(
        0.5, "share of the way moved in the first outer step", at_least=0.0, at_most=1.0
    )
    final: float = setting(
        0.1, "share of the step size left at the end (linear decay)", at_least=0.0, at_most=1.0
    )


def _head() -> InnerLoop:
    return InnerLoop(adapts="head")


@dataclass(frozen=True, kw_only=True)
class Anil(Episodic):
    """MAML whose adaptation moves the head only (or head and embedding): light, and hard to overfit."""

    name: ClassVar[str] = "anil"
    section = "anil"
    first_order: bool = setting(False, _FIRST_ORDER)
    inner: InnerLoop = field(default_factory=_head)
    optimizer: AdamW = field(default_factory=AdamW)

    @property
    def takes_adam(self) -> bool:
        return self.first_order

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.adapts not in ("head", "head+embedding"):
            raise ConfigError(
                f"inner.adapts must be head or head+embedding for anil, got {self.inner.adapts!r}"
            )


@dataclass(frozen=True, kw_only=True)
class MetaSgd(Episodic):
    """MAML that learns a rate for every single weight; one more set of weights to learn and to store."""

    name: ClassVar[str] = "meta-sgd"
    section = "meta-sgd"
    first_order: bool = setting(False, _FIRST_ORDER)
    optimizer: AdamW = field(default_factory=AdamW)

    @property
    def takes_adam(self) -> bool:
        return False  # its rates are learned, at every order


@dataclass(frozen=True, kw_only=True)
class MamlPlusPlus(Episodic):
    """MAML that learns a rate for each layer and step; at first judged after every step, and first order."""

    name: ClassVar[str] = "maml++"
    section = "maml++"
    msl: float = setting(
        0.3,
        "share of the budget over which query losses of earlier steps fade out; each costs a query gradient",
        at_least=0.0,
        at_most=1.0,
    )
    first_order_share: float = setting(
        0.3, "share of the budget before second derivatives are taken (1: never)", at_least=0.0, at_most=1.0
    )
    optimizer: AdamW = field(default_factory=AdamW)

    @property
    def takes_adam(self) -> bool:
        return False  # its rates are learned, at every order


def _context() -> InnerLoop:
    return InnerLoop(adapts="context", lr=1.0)


@dataclass(frozen=True, kw_only=True)
class Cavia(Episodic):
    """Only a short context adapts, through a learned map into the input; a task is a few numbers."""

    name: ClassVar[str] = "cavia"
    section = "cavia"
    context: int = setting(64, "numbers that adapt to a task", at_least=1, at_most=8192)
    first_order: bool = setting(False, _FIRST_ORDER)
    inner: InnerLoop = field(default_factory=_context)
    optimizer: AdamW = field(default_factory=AdamW)

    @property
    def takes_adam(self) -> bool:
        return self.first_order

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.adapts != "context":
            raise ConfigError(f"inner.adapts must be context for cavia, got {self.inner.adapts!r}")
        if self.inner.fisher:
            raise ConfigError("inner.fisher must be false for cavia, got True")


def _proximal() -> InnerLoop:
    return InnerLoop(proximal=1.0)


@dataclass(frozen=True, kw_only=True)
class Imaml(Episodic):
    """MAML by the implicit function theorem: what the derivative costs does not depend on the way adapted."""

    name: ClassVar[str] = "imaml"
    section = "imaml"
    cg_steps: int = setting(
        1,
        "steps of conjugate gradients (0: first order); each, and one more in all, costs a Hessian product "
        "on the whole support set",
        at_least=0,
        at_most=100,
    )
    inner: InnerLoop = field(default_factory=_proximal)
    optimizer: AdamW = field(default_factory=AdamW)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.proximal <= 0:
            raise ConfigError(f"inner.proximal must be more than 0 for imaml, got {self.inner.proximal!r}")


Algorithm = Sequential | Joint | Maml | Fomaml | Reptile | Anil | MetaSgd | MamlPlusPlus | Cavia | Imaml
ALGORITHMS: dict[str, type[Algorithm]] = {kind.name: kind for kind in get_args(Algorithm)}
