"""Meta-SGD (Li et al. 2017, algorithm 1, arXiv:1707.09835): MAML with a learned rate for every single weight.

theta_t = theta - alpha * grad L(theta, S_t), repeated; theta and alpha descend the query loss together. Here
alpha is `inner.lr` times a factor that starts at 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metalm.config import MetaSgd
from metalm.learn.inner import blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.rules import RATE, Rule
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import GRULM


def learned(model: GRULM, config: MetaSgd, _generator: torch.Generator) -> Weights:
    """A factor of 1 for every weight that adapts, the same at every step."""
    weights = slow_weights(model)
    return {
        RATE + name: torch.ones_like(weights[name])[None] for name in Rule(config.inner).adapting(weights)
    }


def meta_step(learner: Learner, episodes: Sequence[Episode], config: MetaSgd, watch: Watch) -> None:
    """One optimiser step of weights and rates along the mean gradient through the adaptation."""
    outer = OuterGradient(learner, config, watch)
    for block in blocks(episodes, learner.engine.tasks_at_once):
        outer.add_through(block, first_order=config.first_order)
    outer.descend()
