"""MAML (Finn et al. 2017, algorithm 1, arXiv:1703.03400), exact.

theta <- theta - optimiser(grad_theta mean_t L(theta_t, Q_t)), theta_t = U_k(theta, S_t): the gradient goes
through every adaptation step.
"""

from __future__ import annotations

from collections.abc import Sequence

from metalm.config import Episodic
from metalm.learn.inner import blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Episodic, watch: Watch) -> None:
    """One optimiser step along the mean over tasks of the gradient through the adaptation."""
    outer = OuterGradient(learner, config, watch)
    for block in blocks(episodes, learner.engine.tasks_at_once):
        outer.add_through(block)
    outer.descend()
