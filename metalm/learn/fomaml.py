"""First-order MAML (Finn et al. 2017, section 5.2, arXiv:1703.03400).

theta <- theta - optimiser(mean_t grad L(theta_t, Q_t)), theta_t = U_k(theta, S_t): the gradient is taken at
the fast weights and applied to the slow ones, as if the adaptation were the identity plus a constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from metalm.config import Fomaml
from metalm.learn.inner import losses_and_gradient
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.fast_weights import mean_weights


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Fomaml, watch: Watch) -> None:
    """One optimiser step along the mean over tasks of the query gradient."""
    gradients = []
    for task in episodes:
        fast = learner.adapted(task, config.inner, watch)
        nats_BT, gradient = losses_and_gradient(learner.model, fast, task.query_BT, learner.dropout)
        watch.saw(task, "query", config.inner.steps, nats_BT, task.query_BT[:, 1:])
        gradients.append(gradient)
    learner.descend(mean_weights(gradients), watch)
