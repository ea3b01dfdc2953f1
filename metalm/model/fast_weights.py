"""Weights as plain dictionaries: the network run with weights that are not its own.

Adaptation is a function from weights to weights; the model object only says what the weights are used for.
Here, and nowhere else, texts side by side (B, T) are turned into the network's time-first (T, B).
Shapes: B texts, T tokens, L layers, H hidden units, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call

from metalm.model.gru import GRULM

Weights = dict[str, Tensor]


def slow_weights(model: GRULM) -> Weights:
    """The model's own weights by name, without a graph, in the model's memory. Tied ones stand once."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def num_weights(model: GRULM) -> int:
    """How many numbers the model learns; a tied table counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def run(
    model: GRULM,
    weights: Weights,
    tokens_BT: Tensor,
    hidden_LBH: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """(logits_BTV, hidden_LBH) of `model` with `weights` in place of its own; see `GRULM.forward`.

    For the time of the call the model's parameters are swapped: one model object belongs to one thread.
    """
    logits_TBV, hidden_LBH = functional_call(model, weights, (tokens_BT.T, hidden_LBH, generator))
    return logits_TBV.transpose(0, 1), hidden_LBH


def mean_weights(of: Sequence[Weights]) -> Weights:
    """The mean of several weights (or gradients), name by name, without a graph."""
    return {name: torch.stack([weights[name].detach() for weights in of]).mean(0) for name in of[0]}
