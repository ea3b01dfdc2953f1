"""ANIL, almost no inner loop (Raghu et al. 2020, arXiv:1909.09157): MAML that adapts the head only.

What adapts is a setting of the inner loop (`inner.adapts`), so nothing is left to do here.
"""

from __future__ import annotations

from collections.abc import Sequence

from metalm.config import Anil
from metalm.learn import fomaml, maml
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Anil, watch: Watch) -> None:
    """The outer step of MAML, or of its first-order form."""
    step = fomaml.meta_step if config.first_order else maml.meta_step
    step(learner, episodes, config, watch)
