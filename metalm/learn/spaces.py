"""What adaptation moves: some of the weights themselves, or a short context that is mapped into the network.

The inner loop descends in one of two spaces; both look alike to it, and to the meta-gradient. A point of a
space is a TaskWeights dictionary. Shapes: T tasks, C numbers of a context, E embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from metalm.learn.rules import CONTEXT, Rule
from metalm.model.task_weights import TaskWeights, num_tasks

_BIAS, _INPUT = "rnn.bias_ih_l0", "rnn.weight_ih_l0"


class Space(Protocol):
    """Where adaptation moves. names: the weights that losses are differentiated by; start: before a step."""

    names: tuple[str, ...]
    start: TaskWeights

    def weights(self, point: TaskWeights) -> TaskWeights:
        """The network's weights at a point."""
        ...

    def pulled(self, gradient: TaskWeights) -> TaskWeights:
        """A gradient by the weights (of `names` at least) as one by the point."""
        ...

    def pushed(self, way: TaskWeights) -> TaskWeights:
        """The way that the weights go when the point goes `way`."""
        ...

    def slow(self, gradient: TaskWeights, point: TaskWeights) -> TaskWeights:
        """A gradient by the weights at a fixed point as one by what the outer loop learns."""
        ...

    def slow_of_pull(self, gradient: TaskWeights, way: TaskWeights) -> TaskWeights:
        """The gradient of <way, pulled(gradient)>, `gradient` held, by what the outer loop learns."""
        ...

    def slow_of_start(self, gradient: TaskWeights) -> TaskWeights:
        """A gradient by the start as one by what the outer loop learns."""
        ...


class WeightSpace:
    """Some of the weights, by name; adaptation starts at the slow ones."""

    def __init__(self, slow: TaskWeights, names: tuple[str, ...]) -> None:
        self.names = names
        self.start = {name: slow[name] for name in names}
        self._slow = slow

    def weights(self, point: TaskWeights) -> TaskWeights:
        return {**self._slow, **point}

    def pulled(self, gradient: TaskWeights) -> TaskWeights:
        return {name: gradient[name] for name in self.names}

    def pushed(self, way: TaskWeights) -> TaskWeights:
        return way

    def slow(self, gradient: TaskWeights, point: TaskWeights) -> TaskWeights:
        return {name: part for name, part in gradient.items() if name not in point}

    def slow_of_pull(self, gradient: TaskWeights, way: TaskWeights) -> TaskWeights:  # noqa: ARG002
        return {}

    def slow_of_start(self, gradient: TaskWeights) -> TaskWeights:
        return gradient


class ContextSpace:
    """A context c (T, C), 0 at first: every token's embedding is moved by M c, M the learned map (E, C).

    The first layer's input bias is as good a place: b = b_slow + W M c, W its input weights. So the adapted
    weights are ordinary ones.
    """

    names = (_BIAS,)

    def __init__(self, slow: TaskWeights, map_EC: Tensor) -> None:
        self._slow, self._map = slow, map_EC
        bias = slow[_BIAS]
        self.start = {CONTEXT: bias.new_zeros(num_tasks(slow), map_EC.shape[1])}

    def weights(self, point: TaskWeights) -> TaskWeights:
        return {**self._slow, _BIAS: self._slow[_BIAS] + self.pushed(point)[_BIAS]}

    def pulled(self, gradient: TaskWeights) -> TaskWeights:
        return {CONTEXT: torch.einsum("tg,tge->te", gradient[_BIAS], self._slow[_INPUT]) @ self._map}

    def pushed(self, way: TaskWeights) -> TaskWeights:
        return {_BIAS: torch.einsum("te,tge->tg", way[CONTEXT] @ self._map.T, self._slow[_INPUT])}

    def slow(self, gradient: TaskWeights, point: TaskWeights) -> TaskWeights:
        through_map = self.slow_of_pull(gradient, point)
        return {**gradient, **through_map, _INPUT: gradient[_INPUT] + through_map[_INPUT]}

    def slow_of_pull(self, gradient: TaskWeights, way: TaskWeights) -> TaskWeights:
        # <c, (W M)' g> by W is g (M c)', by M is (W' g) c'.
        bias_TG, way_TC = gradient[_BIAS], way[CONTEXT]
        by_embedding_TE = torch.einsum("tg,tge->te", bias_TG, self._slow[_INPUT])
        return {
            _INPUT: torch.einsum("tg,te->tge", bias_TG, way_TC @ self._map.T),
            CONTEXT: torch.einsum("te,tc->tec", by_embedding_TE, way_TC),
        }

    def slow_of_start(self, gradient: TaskWeights) -> TaskWeights:  # noqa: ARG002 (it starts at 0, always)
        return {}


def space_of(rule: Rule, slow: TaskWeights) -> Space:
    """Where a rule moves from the slow weights."""
    if rule.inner.adapts == "context":
        return ContextSpace(slow, rule.learned[CONTEXT])
    return WeightSpace(slow, rule.adapting(slow))


def added(total: TaskWeights, part: Mapping[str, Tensor], sign: float = 1.0) -> None:
    """Add `part` to `total`: in place where the name is there, else the very tensor may become the total."""
    for name, value in part.items():
        if name in total:
            total[name].add_(value, alpha=sign)
        else:
            total[name] = value if sign == 1 else value * sign
