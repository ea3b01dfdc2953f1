"""The settings of descent: the inner loop's, which adapts, and the optimisers' of the outer loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from metalm.config.settings import Settings, setting

Adapts = Literal["all", "head", "head+embedding", "biases", "context"]


@dataclass(frozen=True, kw_only=True)
class InnerLoop(Settings):
    """Adaptation to one task: steps of gradient descent on windows of its support set."""

    section = "inner"
    steps: int = setting(5, "adaptation steps on the support set", at_least=0, at_most=1000)
    lr: float = setting(0.3, "step size of each adaptation step", at_least=0.0, at_most=100.0)
    batch: int = setting(8, "windows in one adaptation step", at_least=1, at_most=4096)
    window: int = setting(64, "tokens predicted in one window", at_least=1, at_most=8192)
    clip: float = setting(
        1.0,
        "largest gradient norm of an adaptation step (0: no limit); by how much a step was shortened counts "
        "as a constant: no derivative goes through it",
        at_least=0.0,
    )
    adapts: Adapts = setting(
        "all",
        "which weights move: head and biases are quicker and hold on to more where texts are short; context "
        "is for cavia",
    )
    optimizer: Literal["sgd", "adam"] = setting(
        "sgd",
        "adam wants an lr near 0.001, and first-order algorithms; its memory is that of two more weights",
    )
    proximal: float = setting(
        0.0,
        "pull back to the slow weights (lambda/2 |theta - theta_0|^2 in the loss): against overfitting of "
        "many steps on a short text; costs next to nothing",
        at_least=0.0,
        at_most=1e6,
    )
    fisher: bool = setting(
        False,
        "that pull (inner.proximal) is stronger for weights that matter, by a running diagonal Fisher of "
        "mean 1; its memory is that of one more set of weights",
    )


def length_for(support_bytes: int, lengths: Mapping[int, int], otherwise: int) -> int:
    """How many adaptation steps a support set of any size takes: as many as `lengths` has for the size that
    is nearest to it as a ratio; `otherwise` where it is empty. lengths: support bytes -> steps, as tuned."""
    if not lengths or support_bytes < 1:
        return otherwise
    return lengths[min(lengths, key=lambda size: abs(math.log(size / support_bytes)))]


@dataclass(frozen=True, kw_only=True)
class Adam(Settings):
    """Plain Adam, as the article uses it: no schedule, no clipping."""

    section = "optimizer"
    lr: float = setting(1e-3, "step size", at_least=0.0, at_most=10.0)


@dataclass(frozen=True, kw_only=True)
class AdamW(Settings):
    """AdamW with linear warm-up, cosine decay over the budget, and gradient clipping."""

    section = "optimizer"
    lr: float = setting(3e-3, "largest step size, reached after the warm-up", at_least=0.0, at_most=10.0)
    warmup: int = setting(20, "outer steps until the step size is reached", at_least=0)
    final: float = setting(
        0.1, "share of the step size left at the end of the cosine", at_least=0.0, at_most=1.0
    )
    weight_decay: float = setting(0.01, "pull of the weights towards zero", at_least=0.0, at_most=10.0)
    clip: float = setting(1.0, "largest gradient norm of an outer step (0: no limit)", at_least=0.0)
