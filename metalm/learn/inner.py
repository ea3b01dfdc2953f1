"""The inner loop: slow weights and support sets in, fast weights out, many tasks side by side.

Nothing that is handed in is changed. What the outer loop wants to know of the way is in each `Adapted`.
Shapes: T tasks, N windows of a support set, B windows of one batch, S tokens predicted in a window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from metalm.learn.moves import Moves
from metalm.learn.rules import Rule
from metalm.learn.spaces import space_of
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.engine import Engine, Losses, Windows, side_by_side
from metalm.model.task_weights import TaskWeights, norms_T
from metalm.text.tokenizers import Tokenizer

# Tasks that are judged side by side: of the state's products, eight texts at once cost little more than one.
TASKS_AT_ONCE = 8
# Where of adaptation only the end is kept, so many times as many tasks are trained on side by side.
OF_ENDS_ALONE = 4

Item = TypeVar("Item")


def blocks(tasks: Sequence[Item], size: int = TASKS_AT_ONCE) -> Iterator[Sequence[Item]]:
    """The tasks in order, `size` at a time: memory grows with it, not with how many tasks there are.

    Training takes its engine's `tasks_at_once`.
    """
    for begin in range(0, len(tasks), size):
        yield tasks[begin : begin + size]


@dataclass(frozen=True)
class SupportSet:
    """The windows that adaptation learns from, in the order in which it reads them.

    windows_NT: int64 (N, S + 1): each window's inputs are its first S tokens, its targets the last S.
    """

    windows_NT: Tensor

    @classmethod
    def of_ids(cls, ids: np.ndarray, window: int, device: torch.device | str = "cpu") -> SupportSet:
        """Consecutive windows over a text; each predicts what follows the one before.

        The last window ends where the text ends, so it may overlap the one before it. A text shorter than
        a window is one short window; a text of fewer than two tokens predicts nothing and has none.
        """
        ids = np.asarray(ids, dtype=np.int64)
        length = min(window, len(ids) - 1) + 1
        if length < 2:
            return cls(torch.empty((0, window + 1), dtype=torch.int64, device=device))
        starts = np.arange(0, len(ids) - 1, window)
        starts[-1] = len(ids) - length
        windows = ids[starts[:, None] + np.arange(length)]
        return cls(torch.from_numpy(windows).to(device))

    @classmethod
    def of_text(
        cls, tokenizer: Tokenizer, support: bytes, window: int, device: torch.device | str = "cpu"
    ) -> SupportSet:
        """The same over the tokens of `support`."""
        return cls.of_ids(tokenizer.encode(support).ids, window, device)

    def __len__(self) -> int:
        return len(self.windows_NT)

    def batch(self, step: int, size: int) -> Tensor:
        """What adaptation step `step` (from 0) learns from: the next `size` windows, in a circle, (B, S + 1).

        No window comes twice in one batch: a set smaller than `size` is its own batch.
        """
        if not len(self):
            return self.windows_NT
        size = min(size, len(self))
        order = torch.arange(step * size, (step + 1) * size, device=self.windows_NT.device) % len(self)
        return self.windows_NT[order]


@dataclass(frozen=True)
class Lesson:
    """What one adaptation step learned from, under the weights before it.

    norms_T: of each task's gradient in the space where adaptation moves; factors_T: by how much it was
    shortened. gradient: by the weights, before that; None unless it was asked for.
    """

    windows: Windows
    losses: Losses
    norms_T: Tensor
    factors_T: Tensor
    gradient: TaskWeights | None


@dataclass(frozen=True)
class Adapted:
    """The fast weights after `step` adaptation steps; after none they are the slow weights themselves.

    point: the same in the space where adaptation moves (`metalm.learn.spaces`). lesson: of the step that led
    here; None at step 0.
    """

    step: int
    weights: TaskWeights
    point: TaskWeights
    lesson: Lesson | None = None


@dataclass(frozen=True)
class Wanted:
    """What an outer step wants of adaptation beside the fast weights. Steps are counted from 0.

    dropout_seeds: for each step, what the dropout masks of each task follow from; None drops nothing.
    gradients: the steps whose gradients are handed out. by_all: of them, those that are taken by all weights,
    not only by those that adapt.
    """

    dropout_seeds: Sequence[Sequence[int]] | None = None
    gradients: Collection[int] = ()
    by_all: Collection[int] = ()


@torch.no_grad()
def adaptation(
    engine: Engine,
    weights: TaskWeights,
    supports: Sequence[SupportSet],
    rule: Rule,
    wanted: Wanted = Wanted(),
) -> Iterator[Adapted]:
    """The way from slow to fast weights, one `Adapted` a step, from step 0 (the slow weights themselves) on.

    Each task descends nats per token of its own batches as `rule` says; where the sets differ in shape the
    rest is masked. A task whose set is empty does not move; if all are, there is no step at all.
    """
    space = space_of(rule, weights)
    moves = Moves(rule, space.start)
    point = space.start
    yield Adapted(0, weights, point)
    for step in range(rule.inner.steps if any(map(len, supports)) else 0):
        batches = [support.batch(step, rule.inner.batch) for support in supports]
        windows = side_by_side(batches, wanted.dropout_seeds and wanted.dropout_seeds[step])
        names = None if step in wanted.by_all else space.names
        losses, gradient = engine.gradient(weights, windows, names)
        pulled = space.pulled(gradient)
        lengths_T = norms_T(pulled)
        factors_T = clip_factors(lengths_T, rule.inner.clip)
        kept = gradient if step in wanted.gradients else None
        point = moves.moved(point, pulled, factors_T, step, is_ours=kept is None)
        weights = space.weights(point)
        yield Adapted(step + 1, weights, point, Lesson(windows, losses, lengths_T, factors_T, kept))


def clip_factors(lengths_T: Tensor, clip: float) -> Tensor:
    """By how much gradients of those lengths are shortened so that none exceeds `clip` (0: no limit)."""
    return clip / lengths_T.clamp(min=clip) if clip else torch.ones_like(lengths_T)


def adapt(
    engine: Engine,
    weights: TaskWeights,
    supports: Sequence[SupportSet],
    rule: Rule,
    *,
    on_step: Callable[[Adapted], None] | None = None,
    should_stop: ShouldStop = never,
) -> TaskWeights:
    """The fast weights: `weights` after `inner.steps` steps on the support sets; for 0 steps, `weights`.

    on_step hears of every step from 0 on. Raises Stopped when `should_stop` says so between two steps.
    Source: Finn et al. 2017, algorithm 1, line 6 (arXiv:1703.03400).
    """
    for adapted in adaptation(engine, weights, supports, rule):
        if on_step is not None:
            on_step(adapted)
        stop_if(should_stop)
    return adapted.weights
