"""The optimisers of the slow weights, and how their step size runs over the budget."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from metalm.config import Adam, AdamW


def optimizer_of(
    config: Adam | AdamW, weights: Iterable[Tensor], learned: Iterable[Tensor] = ()
) -> torch.optim.Optimizer:
    """torch's own optimiser with that setting, fused: one pass over the weights instead of a dozen.

    AdamW decays every weight alike, biases too. learned: moved too, but never decayed: a learned rate of 0
    is no simpler than one of 1.
    """
    groups = [{"params": list(weights)}, {"params": list(learned), "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    match config:
        case Adam(lr=lr):
            return torch.optim.Adam(groups, lr=lr, fused=True)
        case AdamW(lr=lr, weight_decay=decay):
            return torch.optim.AdamW(groups, lr=lr, weight_decay=decay, fused=True)


def step_size(config: Adam | AdamW, step: int, progress: float) -> float:
    """The learning rate of outer step `step` (from 1), after `progress` (0 to 1) of the budget is used."""
    match config:
        case Adam(lr=lr):
            return lr
        case AdamW(lr=lr, warmup=warmup, final=final):
            warm = min(1.0, step / warmup) if warmup else 1.0
            cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
            return lr * warm * (final + (1 - final) * cosine)
