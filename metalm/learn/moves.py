"""One adaptation step as a move: theta <- s (theta - rate c g) + (1 - s) theta_0.

g is the gradient (or Adam's direction), c the clip factor, and s = 1 / (1 + lr lambda F) the pull to the
start as a proximal step (forward-backward splitting): stable however strong the pull, and at rest where the
gradient of the loss and that of lambda/2 |theta - theta_0|_F^2 cancel. Without a pull s is 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metalm.learn.rules import Rule
from metalm.model.task_weights import TaskWeights, per_task

# Adam without momentum, as in Reptile's paper (Nichol et al. 2018, section 6): its moments begin afresh
# with each task, and a momentum of few steps only delays them.
_ADAM_DECAY, _ADAM_TINY = 0.999, 1e-8


class Moves:
    """The moves of one adaptation under a rule, from `start`."""

    def __init__(self, rule: Rule, start: TaskWeights) -> None:
        self._rule, self._start = rule, start
        self._second: TaskWeights = {}

    def moved(
        self, point: TaskWeights, gradient: TaskWeights, factors_T: Tensor, step: int, *, is_ours: bool
    ) -> TaskWeights:
        """The point after adaptation step `step` (from 0). is_ours: the gradient may be written over."""
        return {
            name: self._moved(name, weight, gradient[name], factors_T, step, is_ours)
            for name, weight in point.items()
        }

    def _moved(
        self, name: str, weight: Tensor, gradient: Tensor, factors_T: Tensor, step: int, is_ours: bool
    ) -> Tensor:
        # In place where it can be: fresh memory of this size is slow to write to for the first time.
        way = gradient if is_ours else gradient.clone()
        if self._rule.inner.optimizer == "adam":
            way = self._adam(name, way.mul_(per_task(factors_T, way)), step)
            factors_T = torch.ones_like(factors_T)
        rate = self._rule.rate(name, step)
        if isinstance(rate, Tensor):
            way, rate = way.mul_(rate), 1.0
        way = torch.addcmul(weight, way, per_task(factors_T, way), value=-rate, out=way)
        if not self._rule.inner.proximal:
            return way
        return torch.lerp(self._start[name], way, share_left(self._rule, name, way))

    def _adam(self, name: str, gradient: Tensor, step: int) -> Tensor:
        squares = self._second.get(name)
        if squares is None:
            squares = self._second[name] = torch.zeros_like(gradient)
        squares.mul_(_ADAM_DECAY).addcmul_(gradient, gradient, value=1 - _ADAM_DECAY)
        root = squares.div(1 - _ADAM_DECAY ** (step + 1)).sqrt_().add_(_ADAM_TINY)
        return gradient.div_(root)


def share_left(rule: Rule, name: str, like: Tensor) -> Tensor:
    """s = 1 / (1 + lr lambda F) of a weight, broadcast to it; 1 where nothing pulls.

    The pull goes by `inner.lr` alone: learned rates are rates of the loss.
    """
    return 1 / (1 + torch.as_tensor(rule.inner.lr * rule.pull(name), dtype=like.dtype, device=like.device))
