"""The reference engine: autograd through nn.GRU, task after task. Slow, plain, and right by construction.

`metalm.model.fast` is tested against it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from metalm.model.dropout import draws
from metalm.model.engine import Losses, Predictions, Windows
from metalm.model.fast_weights import Weights, run
from metalm.model.gru import GRULM
from metalm.model.task_weights import TaskWeights, num_tasks, of_task, side_by_side


class ReferenceEngine:
    """An `Engine` by automatic differentiation. The model's own weights are not used; for one thread."""

    tasks_at_once = 4

    def __init__(self, model: GRULM) -> None:
        self.model = model

    @torch.no_grad()
    def losses(self, weights: TaskWeights, windows: Windows) -> Losses:
        """See `Engine.losses`."""
        found = [
            self._losses(of_task(weights, task), windows, task) for task in range(len(windows.tokens_TBS))
        ]
        return _stacked(found)

    @torch.no_grad()
    def log_probs(self, weights: TaskWeights, windows: Windows) -> Predictions:
        """See `Engine.log_probs`."""
        found = [
            self._logits(of_task(weights, task), windows, task) for task in range(len(windows.tokens_TBS))
        ]
        logits, hidden = zip(*found, strict=True)
        return Predictions(log_softmax(torch.stack(logits), -1), torch.stack(hidden))

    def gradient(
        self, weights: TaskWeights, windows: Windows, names: Collection[str] | None = None
    ) -> tuple[Losses, TaskWeights]:
        """See `Engine.gradient`."""
        names = list(weights) if names is None else list(names)

        def one(task: int) -> tuple[tuple[Tensor, Tensor], Weights]:
            leaves = _leaves(of_task(weights, task), names)
            nats_BS, hidden_LBH = self._losses(leaves, windows, task)
            gradient = _gradient(_objective(nats_BS, windows, task), leaves, names)
            return (nats_BS.detach(), hidden_LBH.detach()), gradient

        found = _of_each_task(one, num_tasks(weights))
        return _stacked([losses for losses, _ in found]), side_by_side([gradient for _, gradient in found])

    def hessian_product(
        self, weights: TaskWeights, windows: Windows, direction: TaskWeights, *, gradient: bool = True
    ) -> tuple[TaskWeights, TaskWeights]:
        """See `Engine.hessian_product`: the gradient of <gradient, direction>."""
        is_wanted = gradient

        def one(task: int) -> tuple[Weights, Weights]:
            leaves = _leaves(of_task(weights, task), weights)
            nats_BS, _ = self._losses(leaves, windows, task)
            gradient = _gradient(_objective(nats_BS, windows, task), leaves, list(leaves), create_graph=True)
            slope = sum((gradient[name] * way[task]).sum() for name, way in direction.items())
            product = _gradient(slope, leaves, list(leaves))
            return {name: part.detach() for name, part in gradient.items()}, product

        with _double_backward(windows.tokens_TBS.device):
            found = _of_each_task(one, num_tasks(weights))
        gradients, products = zip(*found, strict=True)
        return side_by_side(gradients) if is_wanted else {}, side_by_side(products)

    def _losses(self, weights: Weights, windows: Windows, task: int) -> tuple[Tensor, Tensor]:
        """(nats_BS, hidden_LBH) of one task, 0 where a prediction does not count."""
        targets_BS = windows.targets_TBS[task]
        logits_BSV, hidden_LBH = self._logits(weights, windows, task)
        nats = cross_entropy(logits_BSV.flatten(0, 1), targets_BS.flatten(), reduction="none")
        nats_BS = nats.view(targets_BS.shape)
        if windows.mask_TBS is not None:
            nats_BS = torch.where(windows.mask_TBS[task], nats_BS, 0)
        return nats_BS, hidden_LBH

    def _logits(self, weights: Weights, windows: Windows, task: int) -> tuple[Tensor, Tensor]:
        """(logits_BSV, hidden_LBH) of one task."""
        hidden_LBH = None if windows.hidden_TLBH is None else windows.hidden_TLBH[task]
        generator = _generator(windows, task) if self.model.config.dropout > 0 else None
        return run(self.model, weights, windows.inputs_TBS[task], hidden_LBH, generator)


def _generator(windows: Windows, task: int) -> torch.Generator | None:
    """The draws of one task's dropout masks in this call."""
    if windows.dropout_seeds is None:
        return None
    return draws(windows.dropout_seeds[task], windows.tokens_TBS.device)


def _objective(nats_BS: Tensor, windows: Windows, task: int) -> Tensor:
    """The mean nats of what counts; 0 where nothing does."""
    count = nats_BS.numel() if windows.mask_TBS is None else windows.mask_TBS[task].sum().clamp(min=1)
    return nats_BS.sum() / count


def _leaves(weights: Weights, names: Collection[str]) -> Weights:
    """One task's weights, those of `names` as the beginning of a graph."""
    return {name: weight.detach().requires_grad_(name in names) for name, weight in weights.items()}


def _gradient(
    value: Tensor, leaves: Weights, names: Collection[str], *, create_graph: bool = False
) -> Weights:
    parts = torch.autograd.grad(
        value, [leaves[name] for name in names], create_graph=create_graph, materialize_grads=True
    )
    return dict(zip(names, parts, strict=True))


def _of_each_task(one: Callable[[int], tuple], tasks: int) -> list[tuple]:
    with torch.enable_grad():  # whoever calls may have turned it off
        return [one(task) for task in range(tasks)]


def _stacked(found: list[tuple[Tensor, Tensor]]) -> Losses:
    nats, hidden = zip(*found, strict=True)
    return Losses(torch.stack(nats), torch.stack(hidden))


_cudnn = threading.Lock()


@contextmanager
def _double_backward(device: torch.device) -> Iterator[None]:
    """cuDNN's GRU has no second derivative (pytorch#5261), torch's own has one.

    The switch is the process's: other threads are slower meanwhile, nothing else. One thread at a time turns
    it, so that none finds it off and leaves it so.
    """
    if device.type != "cuda":
        yield
        return
    with _cudnn, torch.backends.cudnn.flags(enabled=False):
        yield
