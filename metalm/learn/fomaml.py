"""First-order MAML (Finn et al. 2017, section 5.2, arXiv:1703.03400).

theta <- theta - optimiser(mean_t grad L(theta_t, Q_t)), theta_t = U_k(theta, S_t): the gradient is taken at
the fast weights and applied to the slow ones, as if the adaptation were the identity plus a constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from metalm.config import Episodic
from metalm.learn.inner import OF_ENDS_ALONE, blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Episodic, watch: Watch) -> None:
    """One optimiser step along the mean over tasks of the query gradient."""
    outer = OuterGradient(learner, config, watch)
    for block in blocks(episodes, OF_ENDS_ALONE * learner.engine.tasks_at_once):
        outer.add_first_order(block)
    outer.descend()
