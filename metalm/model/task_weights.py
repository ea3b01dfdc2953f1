"""The weights of many tasks side by side: every tensor has a leading task axis.

Where all tasks have the same weights (the slow ones, before the first adaptation step) that axis is a view of
stride 0: it costs no memory, and the fast path sees it and computes what is shared once.
Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from metalm.model.fast_weights import Weights

TaskWeights = dict[str, Tensor]


def shared(weights: Mapping[str, Tensor], num_tasks: int) -> TaskWeights:
    """The same weights for every task, without a graph and without a copy."""
    return {name: weight.detach().expand(num_tasks, *weight.shape) for name, weight in weights.items()}


def side_by_side(of: Sequence[Weights]) -> TaskWeights:
    """One task's weights after another's, copied."""
    return {name: torch.stack([weights[name] for weights in of]) for name in of[0]}


def of_task(weights: TaskWeights, task: int) -> Weights:
    """The weights of one task, in the same memory."""
    return {name: weight[task] for name, weight in weights.items()}


def of_tasks(weights: TaskWeights, tasks: Sequence[int]) -> TaskWeights:
    """The weights of some of the tasks, in that order: copied, but for what all tasks share, and for all."""
    if list(tasks) == list(range(num_tasks(weights))):
        return weights
    index = torch.as_tensor(tasks, device=next(iter(weights.values())).device)
    return {
        name: weight[:1].expand(len(tasks), *weight.shape[1:]) if weight.stride(0) == 0 else weight[index]
        for name, weight in weights.items()
    }


def num_tasks(weights: TaskWeights) -> int:
    """How many tasks they are the weights of."""
    return len(next(iter(weights.values())))


def norms_T(weights: TaskWeights) -> Tensor:  # noqa: N802 (the suffix is the shape)
    """The Euclidean norm of each task's weights (or gradient) over all names: (T,)."""
    squares = [torch.linalg.vector_norm(weight.flatten(1), dim=1).square() for weight in weights.values()]
    return torch.stack(squares).sum(0).sqrt()


def per_task(values_T: Tensor, like: Tensor) -> Tensor:
    """(T,) as a factor of `like` (T, ...)."""
    return values_T.view(-1, *(1,) * (like.dim() - 1))


def is_shared(x: Tensor) -> bool:
    """Whether all tasks have the same: one task, or an axis of stride 0."""
    return len(x) == 1 or x.stride(0) == 0
