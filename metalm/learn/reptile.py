"""Reptile (Nichol et al. 2018, algorithm 2, arXiv:1803.02999), with SGD or Adam inside.

theta <- theta + epsilon * mean_t (theta_t - theta), theta_t = U_k(theta, S_t); epsilon decays linearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metalm.config import Reptile
from metalm.learn.inner import OF_ENDS_ALONE, blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.engine import side_by_side


@torch.no_grad()
def meta_step(learner: Learner, episodes: Sequence[Episode], config: Reptile, watch: Watch) -> None:
    """Move the slow weights a share of the way to the mean of the fast weights.

    The query sets move nothing: they are scored once, so that the run's curves mean what those of others
    mean. theta - theta_t is summed like a gradient, so that a joint loss can be mixed in.
    """
    outer = OuterGradient(learner, config, watch)
    for block in blocks(episodes, OF_ENDS_ALONE * learner.engine.tasks_at_once):
        fast = outer.fast(block)
        query = side_by_side([episode.query_BT for episode in block])
        losses = learner.engine.losses(fast.weights, query)
        watch.saw_only(block, fast.step, losses.nats_TBS, query)
        way = {name: learner.weights[name] - weight for name, weight in fast.point.items()}
        outer.add(block, way)
    outer.measure_cosine()
    epsilon = config.step_size * (1 - (1 - config.final) * learner.progress)
    watch.measured("step_size", epsilon)
    learner.move(outer.mean(), -epsilon, watch)
    outer.observe()
