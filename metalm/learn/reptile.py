"""Reptile (Nichol et al. 2018, algorithm 2, arXiv:1803.02999), with SGD inside.

theta <- theta + epsilon * mean_t (theta_t - theta), theta_t = U_k(theta, S_t); epsilon decays linearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metalm.config import Reptile
from metalm.learn.inner import token_losses
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.fast_weights import mean_weights


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Reptile, watch: Watch) -> None:
    """Move the slow weights a share of the way to the mean of the fast weights.

    The query sets move nothing: they are scored once, so that the run's curves mean what those of others
    mean.
    """
    fast_weights = []
    for task in episodes:
        fast = learner.adapted(task, config.inner, watch)
        with torch.no_grad():
            nats_BT = token_losses(learner.model, fast, task.query_BT)
        watch.saw(task, "query", config.inner.steps, nats_BT, task.query_BT[:, 1:], trained=False)
        fast_weights.append(fast)
    mean = mean_weights(fast_weights)
    way = {name: mean[name] - weight.detach() for name, weight in learner.weights.items()}
    epsilon = config.step_size * (1 - (1 - config.final) * learner.progress)
    watch.measured("step_size", epsilon)
    watch.measured("drift", float(torch.nn.utils.get_total_norm(way.values())))
    learner.move(way, epsilon)
