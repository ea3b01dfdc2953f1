"""What an engine computes for many tasks at once: losses, gradients, Hessian-vector products.

Two engines do the same: `metalm.model.fast.FastEngine`, whose derivatives are written by hand, and
`metalm.model.reference.ReferenceEngine`, autograd on nn.GRU, which the first is tested against. Everything
that learns or judges speaks to one of them through this interface, so an algorithm never knows which.

Shapes: T tasks, B windows (or streams) of a task, S tokens predicted in a window, L layers, H hidden units,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from metalm.model.task_weights import TaskWeights


@dataclass(frozen=True)
class Windows:
    """What every task reads in one call.

    tokens_TBS: int64 (T, B, S + 1): a window's inputs are its first S tokens, its targets the last S.
    mask_TBS: bool (T, B, S), the predictions that count; None when all do. hidden_TLBH: the state before the
    first token; None is the zero state. dropout_seeds: what the dropout masks of each task follow from; None
    drops nothing.
    """

    tokens_TBS: Tensor
    mask_TBS: Tensor | None = None
    hidden_TLBH: Tensor | None = None
    dropout_seeds: Sequence[int] | None = None

    @property
    def inputs_TBS(self) -> Tensor:
        return self.tokens_TBS[..., :-1]

    @property
    def targets_TBS(self) -> Tensor:
        return self.tokens_TBS[..., 1:]

    @property
    def counts_T(self) -> Tensor:
        """int64: how many predictions of each task count."""
        if self.mask_TBS is not None:
            return self.mask_TBS.sum((1, 2))
        num_tasks, batch, length = self.tokens_TBS.shape
        return torch.full((num_tasks,), batch * (length - 1), device=self.tokens_TBS.device)

    def of_tasks(self, begin: int, end: int) -> Windows:
        """The windows of tasks [begin, end)."""
        cut = [x if x is None else x[begin:end] for x in (self.tokens_TBS, self.mask_TBS, self.hidden_TLBH)]
        seeds = self.dropout_seeds
        return Windows(*cut, dropout_seeds=None if seeds is None else seeds[begin:end])


def side_by_side(windows: Sequence[Tensor], dropout_seeds: Sequence[int] | None = None) -> Windows:
    """Windows (B, S + 1) of several tasks as one call. Where their shapes differ the rest is masked out."""
    shapes = [tuple(tokens.shape) for tokens in windows]
    if len(set(shapes)) == 1:
        return Windows(torch.stack(list(windows)), dropout_seeds=dropout_seeds)
    rows, columns = (max(sizes) for sizes in zip(*shapes, strict=True))
    tokens = [pad(t, (0, columns - t.shape[1], 0, rows - t.shape[0])) for t in windows]
    mask = [
        pad(torch.ones_like(t[:, 1:], dtype=torch.bool), (0, columns - t.shape[1], 0, rows - t.shape[0]))
        for t in windows
    ]
    return Windows(torch.stack(tokens), torch.stack(mask), dropout_seeds=dropout_seeds)


@dataclass(frozen=True)
class Losses:
    """nats_TBS: the loss of every prediction, 0 where it does not count. hidden_TLBH: the state after the
    last token. Neither carries a graph."""

    nats_TBS: Tensor
    hidden_TLBH: Tensor

    def of_task(self, task: int) -> Tensor:
        """(B, S) nats of one task."""
        return self.nats_TBS[task]


@dataclass(frozen=True)
class Predictions:
    """log_p_TBSV: the log probability of every token after each position, natural, as the engine computes it;
    a mask is not looked at. hidden_TLBH: the state after the last token. Neither carries a graph."""

    log_p_TBSV: Tensor
    hidden_TLBH: Tensor


class Engine(Protocol):
    """Losses and derivatives of the network at given weights. Nothing that is handed in is changed.

    The objective of a task is the mean nats of its predictions that count; gradients and Hessians are its.
    Tied weights stand once, as in `slow_weights`. names: the weights that are differentiated by, all by
    default. Every tensor that comes back is the caller's, to be written over. tasks_at_once: as many tasks
    of a training as keep it busy in one call; more would only take memory.
    """

    tasks_at_once: int

    def losses(self, weights: TaskWeights, windows: Windows) -> Losses:
        """The losses only."""
        ...

    def log_probs(self, weights: TaskWeights, windows: Windows) -> Predictions:
        """All that the network says of what follows: V numbers a position, so it is asked for in chunks."""
        ...

    def gradient(
        self, weights: TaskWeights, windows: Windows, names: Collection[str] | None = None
    ) -> tuple[Losses, TaskWeights]:
        """The losses, and the gradient of each task's objective at its weights, by name."""
        ...

    def hessian_product(
        self, weights: TaskWeights, windows: Windows, direction: TaskWeights, *, gradient: bool = True
    ) -> tuple[TaskWeights, TaskWeights]:
        """(gradient, Hessian of each task's objective times its `direction`), both by all names.

        direction: by name; a name that it lacks has direction 0. gradient: False where it is not wanted, and
        empty then. Exact: no differences are taken.
        """
        ...
