"""The inner loop: slow weights and a support set in, fast weights out; nothing is changed in place.

First order: the fast weights carry no graph back to the slow ones.
Shapes: N windows of a support set, B windows of one batch, T tokens predicted in a window, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metalm.config import InnerLoop
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.fast_weights import Weights, run
from metalm.model.gru import GRULM
from metalm.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class SupportSet:
    """The windows that adaptation learns from, in the order in which it reads them.

    windows_NT: int64 (N, T + 1): each window's inputs are its first T tokens, its targets the last T.
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
        """What adaptation step `step` (from 0) learns from: the next `size` windows, in a circle, (B, T + 1).

        No window comes twice in one batch: a set smaller than `size` is its own batch.
        """
        size = min(size, len(self))
        order = torch.arange(step * size, (step + 1) * size, device=self.windows_NT.device) % len(self)
        return self.windows_NT[order]


@dataclass(frozen=True)
class Adapted:
    """The fast weights after `step` adaptation steps; after none they are the slow weights themselves.

    nats_BT: the loss of each token that this step learned from, under the weights before it; targets_BT:
    those tokens. Both are empty at step 0. gradient_norm: before clipping.
    """

    step: int
    weights: Weights
    nats_BT: Tensor
    targets_BT: Tensor
    gradient_norm: float = 0.0


def token_losses(
    model: GRULM, weights: Weights, windows_BT: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Nats of every token of windows (B, T + 1) but the first, from the zero state: (B, T)."""
    logits_BTV, _ = run(model, weights, windows_BT[:, :-1], generator=generator)
    targets_BT = windows_BT[:, 1:]
    nats = cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), reduction="none")
    return nats.view(targets_BT.shape)


def losses_and_gradient(
    model: GRULM, weights: Weights, windows_BT: Tensor, generator: torch.Generator | None = None
) -> tuple[Tensor, Weights]:
    """`token_losses` without a graph, and the gradient of their mean at `weights`, by name."""
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    nats_BT = token_losses(model, leaves, windows_BT, generator)
    gradients = torch.autograd.grad(nats_BT.mean(), list(leaves.values()))
    return nats_BT.detach(), dict(zip(leaves, gradients, strict=True))


def adaptation(
    model: GRULM,
    weights: Weights,
    support: SupportSet,
    inner: InnerLoop,
    generator: torch.Generator | None = None,
) -> Iterator[Adapted]:
    """The way from slow to fast weights, one `Adapted` a step, from step 0 (the slow weights themselves) on.

    Plain SGD on nats per token; a gradient longer than `inner.clip` is shortened to it. `weights` is not
    changed. A support set without a window allows no step. generator: for dropout, in training only.
    """
    nothing = support.windows_NT[:0, 1:]
    yield Adapted(0, weights, nothing.float(), nothing)
    for step in range(inner.steps if len(support) else 0):
        windows_BT = support.batch(step, inner.batch)
        nats_BT, gradient = losses_and_gradient(model, weights, windows_BT, generator)
        norm = torch.nn.utils.get_total_norm(gradient.values())
        rate = inner.lr * (inner.clip / norm.clamp(min=inner.clip)) if inner.clip else inner.lr
        weights = {name: weight.detach() - rate * gradient[name] for name, weight in weights.items()}
        yield Adapted(step + 1, weights, nats_BT, windows_BT[:, 1:], float(norm))


def adapt(
    model: GRULM,
    weights: Weights,
    support: SupportSet,
    inner: InnerLoop,
    *,
    on_step: Callable[[Adapted], None] | None = None,
    should_stop: ShouldStop = never,
    generator: torch.Generator | None = None,
) -> Weights:
    """The fast weights: `weights` after `inner.steps` steps on the support set; for 0 steps, `weights`.

    on_step hears of every step from 0 on. Raises Stopped when `should_stop` says so between two steps.
    Source: Finn et al. 2017, algorithm 1, line 6 (arXiv:1703.03400).
    """
    for adapted in adaptation(model, weights, support, inner, generator):
        if on_step is not None:
            on_step(adapted)
        stop_if(should_stop)
    return adapted.weights
