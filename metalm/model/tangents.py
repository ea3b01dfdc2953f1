"""Hessian-vector products of the whole network: the tangent of `passes`, forward and backward.

The Hessian times a direction is the derivative, along that direction in the weights, of the gradient
(Pearlmutter 1994, "Fast exact multiplication by the Hessian"). So every line of `passes` has one here: the
product rule. It costs about two more gradients, and keeps nothing beyond the pass itself.

Shapes: see `passes`. `_dot` marks a tangent, the derivative along the direction; None is a tangent of 0.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from metalm.model import recurrence
from metalm.model.passes import (
    EMBEDDING,
    HEAD_BIAS,
    Layer,
    Pass,
    add,
    head_gradient,
    layer_gradient,
    names_of,
    recurrent_part,
)
from metalm.model.recurrence import Inputs
from metalm.model.task_weights import TaskWeights


class LayerTangent:
    """The tangent of a `Layer`: what it reads, its states (T, S + 1, B, H), gates and outputs (T, N, H).

    below_dot: the tangent of what it reads. dot: the direction.
    """

    def __init__(self, number: int, forward: Pass, dot: TaskWeights, below_dot: Tensor | None) -> None:
        layer, weights, self._team = forward.layers[number], forward.weights, forward.team
        w_ih, w_hh, b_ih, b_hh = names_of(number)
        self.below = below_dot
        self.states = self.gates = self.outputs = None
        rows_dot = _product_dot(layer.below_TNE, below_dot, weights[w_ih], dot.get(w_ih), dot.get(b_ih))
        if rows_dot is None and w_hh not in dot and b_hh not in dot:
            return  # nothing moves
        if rows_dot is None:
            rows_dot = torch.zeros_like(layer.inputs.rows_TN3H, memory_format=torch.contiguous_format)
        inputs_dot = Inputs(rows_dot, layer.inputs.index_TSR)
        directions = _or_zero(dot, w_hh, weights), _or_zero(dot, b_hh, weights)
        pair = layer.hs, layer.gates
        self.states, self.gates = recurrence.tangent(
            inputs_dot, weights[w_hh], *directions, *pair, team=self._team
        )
        self.outputs = forward.dropped(number + 1, self.states[:, 1:].flatten(1, 2))

    def backward(
        self, layer: Layer, w: Tensor, w_dot: Tensor, above: tuple[Tensor | None, Tensor]
    ) -> tuple[Tensor | None, Tensor]:
        """(d, d_dot), see `recurrence.backward_tangent`; d is None where the first of `above` is."""
        if self.states is None:  # at gates that do not move, the backward pass is linear
            d = None
            if above[0] is not None:
                d = recurrence.backward(w, layer.hs, layer.gates.clone(), above[0], team=self._team)
            return d, recurrence.backward(w, layer.hs, layer.gates, above[1], team=self._team)
        pairs = (layer.hs, self.states), (layer.gates, self.gates)
        return recurrence.backward_tangent(w, w_dot, *pairs, above, team=self._team)


class Tangents:
    """The tangent of a `Pass` along `direction`, by name; a missing name does not move."""

    def __init__(self, forward: Pass, direction: TaskWeights) -> None:
        self._forward = forward
        self._dot = direction
        self._layers: list[LayerTangent] = []
        below_dot = direction.get(EMBEDDING)
        if below_dot is not None:
            below_dot = forward.read(below_dot)
        for number in range(len(forward.layers)):
            self._layers.append(LayerTangent(number, forward, direction, below_dot))
            below_dot = self._layers[-1].outputs

    def logits_TNV(self) -> Tensor | float:
        """The tangent of the logits."""
        top, head = self._forward.layers[-1].output_TNH, self._forward.head_name
        by_head = self._dot.get(head), self._dot.get(HEAD_BIAS)
        logits_dot = _product_dot(top, self._layers[-1].outputs, self._forward.head, *by_head)
        return 0.0 if logits_dot is None else logits_dot

    def backward(
        self, dlogits: Tensor, dlogits_dot: Tensor, names: Collection[str]
    ) -> tuple[TaskWeights, TaskWeights]:
        """(gradient, its tangent), from the derivatives by the logits and their tangent.

        names: the weights that the gradient is wanted by; its tangent is by all.
        """
        forward, dot = self._forward, self._dot
        head, top = forward.head_name, forward.layers[-1].output_TNH
        gradient = head_gradient(dlogits, top, head, names)
        product = head_gradient(dlogits_dot, top, head, tuple(forward.weights))
        if self._layers[-1].outputs is not None:
            product[head].baddbmm_(dlogits.mT, self._layers[-1].outputs)
        above_dot = dlogits_dot @ forward.head
        if head in dot:
            above_dot.baddbmm_(dlogits, dot[head])
        # Below a head that moves alone the derivatives themselves touch nothing but the gradient.
        is_asked = bool(names) or any(layer.states is not None for layer in self._layers)
        above = dlogits @ forward.head if is_asked else None
        for number in reversed(range(len(self._layers))):
            found, moved, (above, above_dot) = self._through(number, (above, above_dot), names)
            gradient |= found
            product |= moved
        if EMBEDDING in names:
            add(gradient, EMBEDDING, forward.by_table(above))
        add(product, EMBEDDING, forward.by_table(above_dot))
        return gradient, product

    def _through(
        self, number: int, above: tuple[Tensor | None, Tensor], names: Collection[str]
    ) -> tuple[TaskWeights, TaskWeights, tuple[Tensor | None, Tensor]]:
        """One layer's gradient and its tangent, and what reaches the layer below."""
        forward = self._forward
        layer, tangent = forward.layers[number], self._layers[number]
        w_ih, w_hh, _, _ = names_of(number)
        steps = tuple(part if part is None else forward.by_steps(number, part) for part in above)
        w_hh_dot = _or_zero(self._dot, w_hh, forward.weights)
        d, d_dot = tangent.backward(layer, forward.weights[w_hh], w_hh_dot, steps)
        by_input_dot = forward.by_input(number, d_dot)
        product = layer_gradient(number, tuple(forward.weights), d_dot, by_input_dot, layer)
        if d is None:
            return {}, product, (None, by_input_dot @ forward.weights[w_ih])
        by_input = forward.by_input(number, d)
        gradient = layer_gradient(number, names, d, by_input, layer)
        if tangent.states is not None:
            product[w_hh].baddbmm_(recurrent_part(d).mT, tangent.states[:, :-1].flatten(1, 2))
        if tangent.below is not None:
            product[w_ih].baddbmm_(by_input.mT, tangent.below)
        below, below_dot = by_input @ forward.weights[w_ih], by_input_dot @ forward.weights[w_ih]
        if w_ih in self._dot:
            below_dot.baddbmm_(by_input, self._dot[w_ih])
        return gradient, product, (below, below_dot)


def _or_zero(dot: TaskWeights, name: str, weights: TaskWeights) -> Tensor:
    """The direction of a weight that may not move."""
    if name in dot:
        return dot[name]
    return torch.zeros_like(weights[name], memory_format=torch.contiguous_format)


def _product_dot(
    x: Tensor, x_dot: Tensor | None, w: Tensor, w_dot: Tensor | None, bias_dot: Tensor | None
) -> Tensor | None:
    """The tangent of x W^T + b."""
    total = None if x_dot is None else x_dot @ w.mT
    if w_dot is not None:
        total = x @ w_dot.mT if total is None else torch.baddbmm(total, x, w_dot.mT)
    if bias_dot is not None:
        spread = bias_dot[:, None].expand(-1, x.shape[1], -1)
        total = spread.contiguous() if total is None else total + spread
    return total
