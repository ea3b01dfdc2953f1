"""Which rate and how many steps a finished run adapts with: a small grid, measured on meta-validation only.

Steps lie on one trajectory, so a rate costs one adaptation of each task, whatever the steps tried. The same
grid serves every run, fine-tuned baselines too, so that none is tuned better than another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from metalm.config import InnerLoop
from metalm.errors import ConfigError
from metalm.learn.inner import SupportSet, adaptation
from metalm.learn.rules import Rule
from metalm.learn.score import score
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.validation import ValidationTask, validation_tasks
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import of_task, shared
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer
from metalm.units import bits_per_byte


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is tried: every rate with every number of steps, and no adaptation at all."""

    lrs: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    steps: tuple[int, ...] = (5, 15)
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
    inner: InnerLoop,
    grid: Grid | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
    should_stop: ShouldStop = never,
) -> Adaptation:
    """The best rate and number of steps for `weights` on meta-validation `texts`; the rest is as in `inner`.

    Without texts nothing can be measured, and `inner` stands. on_progress hears the share done, 0 to 1.
    Raises Stopped.
    """
    grid = grid or Grid()
    tasks = validation_tasks(texts, grid.support_bytes, grid.query_bytes)
    bits: dict[tuple[float, int], list[float]] = {}
    for row, task in enumerate(tasks):
        for column, lr in enumerate(grid.lrs):
            tried = replace(inner, lr=lr, steps=grid.steps[-1])
            # No adaptation is the same at every rate: measured once, with the first.
            counts = {0, *grid.steps} if column == 0 else set(grid.steps)
            for steps, value in _trajectory(model, weights, tokenizer, task, tried, counts, should_stop):
                bits.setdefault((lr if steps else 0.0, steps), []).append(value)
            if on_progress is not None:
                on_progress((row * len(grid.lrs) + column + 1) / (len(tasks) * len(grid.lrs)))
    points = [GridPoint(lr=lr, steps=n, bits_per_byte=float(np.mean(v))) for (lr, n), v in bits.items()]
    return _chosen(inner, grid, points)


def _trajectory(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    task: ValidationTask,
    inner: InnerLoop,
    counts: Collection[int],
    should_stop: ShouldStop,
) -> Iterator[tuple[int, float]]:
    """(steps, bits per byte) for every number of steps in `counts`; infinite once the weights diverged."""
    device = next(iter(weights.values())).device
    support = SupportSet.of_text(tokenizer, task.support, inner.window, device)
    for adapted in adaptation(engine_for(model), shared(weights, 1), [support], Rule(inner)):
        stop_if(should_stop)
        if adapted.step in counts:
            fast = of_task(adapted.weights, 0)
            cost = score(model, fast, tokenizer, task.support, task.query, should_stop=should_stop)
            value = bits_per_byte(cost.nats, cost.bytes)
            yield adapted.step, value if math.isfinite(value) else math.inf


def _chosen(inner: InnerLoop, grid: Grid, points: Sequence[GridPoint]) -> Adaptation:
    if not points:
        return Adaptation(inner=inner)
    best = min(points, key=lambda point: point.bits_per_byte)
    if best.steps == 0:  # adaptation only harms: there is no edge to go beyond
        return Adaptation(inner=replace(inner, steps=0), grid=tuple(points))
    edges = ("lr",) * (best.lr in (grid.lrs[0], grid.lrs[-1])) + ("steps",) * (best.steps == grid.steps[-1])
    return Adaptation(inner=replace(inner, lr=best.lr, steps=best.steps), grid=tuple(points), edges=edges)
