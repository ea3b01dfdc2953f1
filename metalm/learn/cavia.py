"""CAVIA, fast context adaptation (Zintgraf et al. 2019, algorithm 1, arXiv:1810.03642).

c_t = c - lr grad_c L(theta, c, S_t) from c = 0; theta descends mean_t L(theta, c_t, Q_t). The context goes
to the network beside each token, through a map that is learned with theta (see
`metalm.learn.spaces.ContextSpace`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from metalm.config import Cavia
from metalm.learn.inner import blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.rules import CONTEXT
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import GRULM


def learned(model: GRULM, config: Cavia, generator: torch.Generator) -> Weights:
    """The map (E, C), N(0, 1/C): a context of numbers near 1 moves those of an embedding by about 1."""
    table = slow_weights(model)["embedding.weight"]
    drawn = torch.randn(table.shape[1], config.context, generator=generator) / math.sqrt(config.context)
    return {CONTEXT: drawn.to(table)}


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Cavia, watch: Watch) -> None:
    """One optimiser step of weights and map along the mean gradient through the adaptation of the context."""
    outer = OuterGradient(learner, config, watch)
    for block in blocks(episodes, learner.engine.tasks_at_once):
        outer.add_through(block, first_order=config.first_order)
    outer.descend()
