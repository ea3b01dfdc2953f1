"""MAML++ (Antoniou et al. 2019, arXiv:1810.09502): four of its remedies that a recurrent network can use.

Learned rates per layer and step (section 4, "LSLR"; here per named weight), query losses after every step at
first (multi-step loss, "MSL"), first order before second (derivative-order annealing, "DA"), and the cosine
of the outer rate, which every algorithm here has. Its batch normalisation has nothing to do in a GRU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metalm.config import MamlPlusPlus
from metalm.learn.inner import blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.rules import RATE, Rule
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import GRULM


def learned(model: GRULM, config: MamlPlusPlus, _generator: torch.Generator) -> Weights:
    """A factor of 1 for every named weight that adapts and every step."""
    weights, rows = slow_weights(model), max(config.inner.steps, 1)
    return {
        RATE + name: weights[name].new_ones(rows, *(1,) * weights[name].dim())
        for name in Rule(config.inner).adapting(weights)
    }


def meta_step(learner: Learner, episodes: Sequence[Episode], config: MamlPlusPlus, watch: Watch) -> None:
    """One optimiser step of weights and rates along the mean gradient through the adaptation."""
    outer = OuterGradient(learner, config, watch)
    shares = loss_shares(config.inner.steps, learner.progress, config.msl)
    first_order = learner.progress < config.first_order_share
    for block in blocks(episodes, learner.engine.tasks_at_once):
        outer.add_through(block, first_order=first_order, shares=shares)
    outer.descend()


def loss_shares(steps: int, progress: float, msl: float) -> list[float]:
    """What the query loss after each step counts: all alike at first, after `msl` of the budget the last."""
    steps = max(steps, 1)
    each = (1 - min(1.0, progress / msl) if msl else 0.0) / steps
    return [each] * (steps - 1) + [1 - each * (steps - 1)]
