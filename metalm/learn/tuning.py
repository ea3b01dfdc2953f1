"""Which rate and how many steps a finished run adapts with: a small grid, measured on meta-validation only.

First the rate, at one support size; then, at the best, the number of steps for small and large support sets:
of few bytes many steps learn the noise, of many bytes few steps learn little. Steps lie on one trajectory, so
a rate costs one adaptation of each task, whatever the steps tried. Every run, fine-tuned baselines too, is
tried at as many points, so that none is tuned better than another (`grid_for`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from metalm.config import InnerLoop
from metalm.errors import ConfigError
from metalm.learn.inner import SupportSet, adaptation, blocks
from metalm.learn.rules import RATE, Rule
from metalm.learn.score import Stream, scores
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.validation import ValidationTask, validation_tasks
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import shared
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer
from metalm.units import bits_per_byte

SUPPORT_BYTES = 2048  # the size at which rates are tuned
_MULTIPLES = (0.25, 0.5, 1.0, 2.0)  # of training's rate, where there is no rate that suits every run


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is tried, beside no adaptation at all: every rate with each of `steps`, at `support_bytes`; then
    the best rate with each of `lengths` at that size and at each of `sizes`, until more steps have made it
    worse twice."""

    lrs: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    steps: tuple[int, ...] = (5, 20, 40)
    lengths: tuple[int, ...] = (5, 10, 20, 40, 80, 160)
    sizes: tuple[int, ...] = (512, 10240)
    support_bytes: int = SUPPORT_BYTES  # of each task, at most
    query_bytes: int = 2048

    def __post_init__(self) -> None:
        for name in ("lrs", "steps", "lengths", "sizes"):
            values, may_be_empty = getattr(self, name), name in ("lengths", "sizes")
            if values == () and may_be_empty:
                continue
            if not values or sorted(set(values)) != list(values) or values[0] <= 0:
                raise ConfigError(f"grid.{name} must rise from above 0, got {values}")


@dataclass(frozen=True, kw_only=True)
class GridPoint:
    """What a setting came to; bits_per_byte: mean over tasks, infinite when one diverged. lr 0: no step."""

    lr: float
    steps: int
    bits_per_byte: float
    support_bytes: int = SUPPORT_BYTES


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a run adapts, and how that was found.

    inner: at `support_bytes`, the size at which rates were tuned. edges: "lr", "steps" and "steps at 512
    bytes" where the best lies at that end of the grid, so that a wider one might be better.
    """

    inner: InnerLoop
    grid: tuple[GridPoint, ...] = ()
    edges: tuple[str, ...] = ()
    support_bytes: int = SUPPORT_BYTES

    @property
    def rated(self) -> list[GridPoint]:
        """What was tried at the size at which rates were tuned."""
        return [point for point in self.grid if point.support_bytes == self.support_bytes]

    @property
    def bits_per_byte(self) -> float:
        """The best of it; infinite where nothing could be measured."""
        return min((point.bits_per_byte for point in self.rated), default=math.inf)

    def inner_for(self, steps: int) -> InnerLoop:
        """The same with so many steps, at the best of the rates that were tried with as many, if any were."""
        tried = [point for point in self.rated if point.steps == steps > 0]
        best = min(tried, key=lambda point: point.bits_per_byte, default=None)
        return replace(self.inner, steps=steps, lr=self.inner.lr if best is None else best.lr)

    @property
    def lengths(self) -> dict[int, int]:
        """Support bytes -> the steps that were best for as many; {} where one size alone was tried."""
        best: dict[int, GridPoint] = {}
        for point in self.grid:
            if point.lr in (self.inner.lr, 0.0):
                known = best.setdefault(point.support_bytes, point)
                if point.bits_per_byte < known.bits_per_byte:
                    best[point.support_bytes] = point
        return {size: best[size].steps for size in sorted(best)} if len(best) > 1 else {}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data (an infinite value is null); `from_json` reads it back."""
        data = asdict(self)
        for point in data["grid"]:
            point["bits_per_byte"] = point["bits_per_byte"] if math.isfinite(point["bits_per_byte"]) else None
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Adaptation:
        points = ({**p, "bits_per_byte": _or_infinity(p["bits_per_byte"])} for p in data["grid"])
        return cls(
            inner=InnerLoop(**data["inner"]),
            grid=tuple(GridPoint(**point) for point in points),
            edges=tuple(data["edges"]),
            support_bytes=data.get("support_bytes", SUPPORT_BYTES),  # once there was no other size
        )


def _or_infinity(value: float | None) -> float:
    return math.inf if value is None else value


def tune(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    texts: Sequence[TaskText],
    rule: Rule,
    grid: Grid | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
    should_stop: ShouldStop = never,
) -> Adaptation:
    """The best rate and numbers of steps for `weights` on meta-validation `texts`; the rest is as in `rule`.

    grid: `grid_for(rule)` unless another is wanted. Without texts nothing can be measured, and the settings
    stand. on_progress hears the share done, 0 to 1. Raises Stopped.
    """
    grid = grid or grid_for(rule)
    sizes = sorted({grid.support_bytes, *grid.sizes}) if grid.lengths else []
    total = len(grid.lrs) + len(sizes)
    found: dict[tuple[int, float, int], float] = {}

    def follow(size: int, lr: float, counts: Sequence[int], *, to_the_end: bool) -> None:
        tasks = validation_tasks(texts, size, grid.query_bytes)
        parts = model, weights, tokenizer, tasks, rule.with_inner(lr=lr, steps=counts[-1])
        for steps, bits in _trajectory(*parts, counts, should_stop, to_the_end=to_the_end).items():
            found.setdefault((size, lr if steps else 0.0, steps), bits)

    for number, lr in enumerate(grid.lrs, start=1):
        # No adaptation is the same at every rate: measured once, with the first.
        follow(grid.support_bytes, lr, (0,) * (number == 1) + grid.steps, to_the_end=True)
        if on_progress is not None:
            on_progress(number / total)
    adapted = [(bits, lr) for (_, lr, _), bits in found.items() if lr]
    for number, size in enumerate(sizes if adapted else [], start=1 + len(grid.lrs)):
        follow(size, min(adapted)[1], (0, *grid.lengths), to_the_end=False)
        if on_progress is not None:
            on_progress(number / total)
    points = [
        GridPoint(lr=lr, steps=n, bits_per_byte=bits, support_bytes=size)
        for (size, lr, n), bits in found.items()
    ]
    return _chosen(rule.inner, grid, points)


def grid_for(rule: Rule) -> Grid:
    """What is tried for a run: the same rates for all whose weights go down their gradient at one plain rate.

    Where rates were learned they are factors on `inner.lr`, fitted to the one of training; a context, and a
    step of Adam, are not even of a weight's scale. There the grid is as many multiples of training's rate.
    """
    inner = rule.inner
    learned = any(name.startswith(RATE) for name in rule.learned)
    is_plain = not learned and inner.adapts != "context" and inner.optimizer == "sgd"
    if is_plain or inner.lr == 0:
        return Grid()
    return Grid(lrs=tuple(factor * inner.lr for factor in _MULTIPLES))


def _trajectory(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    tasks: Sequence[ValidationTask],
    rule: Rule,
    counts: Sequence[int],
    should_stop: ShouldStop,
    *,
    to_the_end: bool,
) -> dict[int, float]:
    """Steps -> bits per byte, the mean over tasks, for each number of steps in `counts`; infinite once one
    diverged. to_the_end: else it ends where the score got worse twice in a row."""
    engine, device = engine_for(model), next(iter(weights.values())).device
    bits: dict[int, list[float]] = {}
    for block in blocks(tasks):
        streams = [Stream.of(tokenizer, task.support, task.query) for task in block]
        supports = [SupportSet.of_text(tokenizer, task.support, rule.inner.window, device) for task in block]
        before, worse = math.inf, 0
        for adapted in adaptation(engine, shared(weights, len(block)), supports, rule):
            stop_if(should_stop)
            if adapted.step not in counts:
                continue
            costs = scores(engine, adapted.weights, streams, should_stop=should_stop)
            values = [bits_per_byte(cost.nats, cost.bytes) for cost in costs]
            values = [value if math.isfinite(value) else math.inf for value in values]
            bits.setdefault(adapted.step, []).extend(values)
            worse = worse + 1 if np.mean(values) > before else 0
            before = np.mean(values)
            if worse == 2 and not to_the_end:
                break
    # Where one block of tasks ended earlier, the steps after its end have no mean over all.
    return {steps: float(np.mean(values)) for steps, values in bits.items() if len(values) == len(tasks)}


def _chosen(inner: InnerLoop, grid: Grid, points: Sequence[GridPoint]) -> Adaptation:
    if not points:
        return Adaptation(inner=inner)
    here = [point for point in points if point.support_bytes == grid.support_bytes]
    best = min(here, key=lambda point: point.bits_per_byte)
    rated = min((point for point in here if point.lr), key=lambda point: point.bits_per_byte)
    found = Adaptation(
        inner=replace(inner, lr=rated.lr, steps=best.steps),
        grid=tuple(points),
        support_bytes=grid.support_bytes,
    )
    lengths = found.lengths or {grid.support_bytes: best.steps}
    most = grid.lengths[-1] if found.lengths else grid.steps[-1]
    edges = ("lr",) * (rated.lr in (grid.lrs[0], grid.lrs[-1]) and any(lengths.values()))
    for size, steps in lengths.items():
        if steps == most:
            edges += ("steps" if size == grid.support_bytes else f"steps at {size} bytes",)
    return replace(found, edges=edges)
