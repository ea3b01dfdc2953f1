"""Which rate and how many steps a finished run adapts with: a small grid, measured on meta-validation only.

Steps lie on one trajectory, so a rate costs one adaptation of each task, whatever the steps tried. Every run,
fine-tuned baselines too, is tried at as many points, so that none is tuned better than another (`grid_for`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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

_MULTIPLES = (0.25, 0.5, 1.0, 2.0)  # of training's rate, where there is no rate that suits every run


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is tried: every rate with every number of steps, and no adaptation at all."""

    lrs: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    steps: tuple[int, ...] = (5, 20, 60)
    support_bytes: int = 2048  # of each task, at most
    query_bytes: int = 2048

    def __post_init__(self) -> None:
        for name, values in (("lrs", self.lrs), ("steps", self.steps)):
            if not values or sorted(set(values)) != list(values) or values[0] <= 0:
                raise ConfigError(f"grid.{name} must rise from above 0, got {values}")


@dataclass(frozen=True, kw_only=True)
class GridPoint:
    """What a setting came to; bits_per_byte: mean over tasks, infinite when one diverged. lr 0: no step."""

    lr: float
    steps: int
    bits_per_byte: float


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """How a run adapts, and how that was found.

    edges: "lr" and "steps" where the best lies at that end of the grid, so that a wider one might be better.
    """

    inner: InnerLoop
    grid: tuple[GridPoint, ...] = ()
    edges: tuple[str, ...] = ()

    def inner_for(self, steps: int) -> InnerLoop:
        """The same with so many steps, at the best of the rates that were tried with as many, if any were."""
        tried = [point for point in self.grid if point.steps == steps and steps > 0]
        best = min(tried, key=lambda point: point.bits_per_byte, default=None)
        return replace(self.inner, steps=steps, lr=self.inner.lr if best is None else best.lr)

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
    """The best rate and number of steps for `weights` on meta-validation `texts`; the rest is as in `rule`.

    grid: `grid_for(rule)` unless another is wanted. Without texts nothing can be measured, and the settings
    stand. on_progress hears the share done, 0 to 1. Raises Stopped.
    """
    grid = grid or grid_for(rule)
    parts = list(blocks(validation_tasks(texts, grid.support_bytes, grid.query_bytes)))
    bits: dict[tuple[float, int], list[float]] = {}
    for row, tasks in enumerate(parts):
        for column, lr in enumerate(grid.lrs):
            tried = rule.with_inner(lr=lr, steps=grid.steps[-1])
            # No adaptation is the same at every rate: measured once, with the first.
            counts = {0, *grid.steps} if column == 0 else set(grid.steps)
            for steps, values in _trajectory(model, weights, tokenizer, tasks, tried, counts, should_stop):
                bits.setdefault((lr if steps else 0.0, steps), []).extend(values)
            if on_progress is not None:
                on_progress((row * len(grid.lrs) + column + 1) / (len(parts) * len(grid.lrs)))
    points = [GridPoint(lr=lr, steps=n, bits_per_byte=float(np.mean(v))) for (lr, n), v in bits.items()]
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
    counts: Collection[int],
    should_stop: ShouldStop,
) -> Iterator[tuple[int, list[float]]]:
    """(steps, each task's bits per byte) for every number of steps in `counts`; infinite once it diverged."""
    engine, device = engine_for(model), next(iter(weights.values())).device
    streams = [Stream.of(tokenizer, task.support, task.query) for task in tasks]
    supports = [SupportSet.of_text(tokenizer, task.support, rule.inner.window, device) for task in tasks]
    for adapted in adaptation(engine, shared(weights, len(tasks)), supports, rule):
        stop_if(should_stop)
        if adapted.step in counts:
            costs = scores(engine, adapted.weights, streams, should_stop=should_stop)
            values = [bits_per_byte(cost.nats, cost.bytes) for cost in costs]
            yield adapted.step, [value if math.isfinite(value) else math.inf for value in values]


def _chosen(inner: InnerLoop, grid: Grid, points: Sequence[GridPoint]) -> Adaptation:
    if not points:
        return Adaptation(inner=inner)
    best = min(points, key=lambda point: point.bits_per_byte)
    if best.steps == 0:  # adaptation only harms: there is no edge to go beyond
        return Adaptation(inner=replace(inner, steps=0), grid=tuple(points))
    edges = ("lr",) * (best.lr in (grid.lrs[0], grid.lrs[-1])) + ("steps",) * (best.steps == grid.steps[-1])
    return Adaptation(inner=replace(inner, lr=best.lr, steps=best.steps), grid=tuple(points), edges=edges)
