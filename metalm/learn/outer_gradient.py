"""What the episodes of one outer step add up to, block after block of tasks: the part that algorithms share.

An algorithm says how one block's episodes become a gradient for each task; adaptation, what is watched on the
way, the joint loss, the Fisher information and the mean over tasks are here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from metalm.config import Episodic
from metalm.learn.inner import Adapted, Wanted, adaptation
from metalm.learn.learner import Learner
from metalm.learn.meta_gradient import meta_gradient
from metalm.learn.rules import FISHER
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.engine import Windows, side_by_side
from metalm.model.fast_weights import Weights
from metalm.model.task_weights import TaskWeights, norms_T, num_tasks

_FISHER_DECAY = 0.95  # of the running Fisher information, each outer step: it remembers about twenty
_TINY = 1e-30  # a gradient of length 0 has no direction


class OuterGradient:
    """Sums over the tasks of an outer step."""

    def __init__(self, learner: Learner, config: Episodic, watch: Watch) -> None:
        self.learner, self.config, self.watch = learner, config, watch
        self.rule = learner.rule(config.inner)
        self._num_tasks = 0
        self._total: Weights = {}
        self._joint: Weights = {}
        self._squares: Weights = {}
        self._lengths: list[Tensor] = []
        self._directions: Weights = {}  # the sum of the tasks' gradients, each of length 1

    def way(self, episodes: Sequence[Episode], *, gradients: bool = False) -> Iterator[Adapted]:
        """The adaptation of a block from the slow weights to the fast, step by step. Raises Stopped.

        gradients: hand out those of every step.
        """
        learner, steps = self.learner, self.config.inner.steps
        takes_joint, takes_fisher = self.config.joint_weight > 0, self.config.inner.fisher
        wanted = Wanted(
            dropout_seeds=self._dropout_seeds(episodes, range(steps)),
            gradients=range(steps) if gradients else range(int(takes_joint or takes_fisher)),
            by_all=range(int(takes_joint)),
        )
        slow, supports = learner.slow(len(episodes)), [episode.support for episode in episodes]
        for adapted in adaptation(learner.engine, slow, supports, self.rule, wanted):
            self.watch.saw_step(episodes, adapted)
            if adapted.step == 1 and takes_joint:
                _add(self._joint, {n: part.sum(0) for n, part in adapted.lesson.gradient.items()})
            if adapted.step == 1 and takes_fisher:
                gradient = adapted.lesson.gradient
                _add(self._squares, {name: gradient[name].square().sum(0) for name in adapted.point})
            yield adapted

    def fast(self, episodes: Sequence[Episode]) -> Adapted:
        """The end of the way; what lies before it is let go as soon as it is passed."""
        for adapted in self.way(episodes):  # noqa: B007 (the last one is what is wanted)
            pass
        return adapted

    def query(self, episodes: Sequence[Episode]) -> Windows:
        """The query sets of a block."""
        seeds = self._dropout_seeds(episodes, [self.config.inner.steps])
        return side_by_side([episode.query_BT for episode in episodes], seeds and seeds[0])

    def _dropout_seeds(self, episodes: Sequence[Episode], calls: Sequence[int]) -> list[list[int]] | None:
        """Of each call with the block that is under way: `calls` are numbered within it."""
        seeds = [self.learner.dropout_seeds(self._num_tasks, len(episodes), call) for call in calls]
        return None if None in seeds else seeds

    def query_gradient(self, episodes: Sequence[Episode], adapted: Adapted, query: Windows) -> TaskWeights:
        """The gradient of each task's query loss at its fast weights. Raises Stopped."""
        losses, gradient = self.learner.engine.gradient(adapted.weights, query)
        self.watch.saw(episodes, "query", adapted.step, losses.nats_TBS, query)
        return gradient

    def add_first_order(self, episodes: Sequence[Episode]) -> None:
        """Add a block's query gradients at the fast weights, as if those did not depend on the slow ones."""
        self.add(episodes, self.query_gradient(episodes, self.fast(episodes), self.query(episodes)))

    def add_through(
        self, episodes: Sequence[Episode], *, first_order: bool = False, shares: Sequence[float] = (1.0,)
    ) -> None:
        """Add a block's gradients through its adaptation (see `metalm.learn.meta_gradient`).

        first_order: with the gradients of adaptation held. shares: what the query losses after the last so
        many adaptation steps count, the last one's last; it is not 0.
        """
        way, query = list(self.way(episodes, gradients=first_order)), self.query(episodes)
        first_judged = len(way) - len(shares)

        def judged(adapted: Adapted) -> TaskWeights | None:
            share = shares[adapted.step - first_judged] if adapted.step >= first_judged else 0.0
            if not share:
                return None
            gradient = self.query_gradient(episodes, adapted, query)
            return gradient if share == 1 else {name: part.mul_(share) for name, part in gradient.items()}

        on_product = None if first_order else partial(self.watch.saw_hessian_product, episodes)
        found = meta_gradient(self.learner.engine, self.rule, way, judged, on_product)
        self.add(episodes, found.by_task, found.rates)

    def add(
        self,
        episodes: Sequence[Episode],
        gradient: TaskWeights,
        learned: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Add a block's gradients, by name; `learned`: more of them, already summed over its tasks."""
        self._num_tasks += num_tasks(gradient)
        lengths_T = norms_T(gradient)
        self._lengths.append(lengths_T)
        self.watch.saw_gradient(episodes, lengths_T)
        units_T = lengths_T.clamp(min=_TINY).reciprocal()
        weights_2T = torch.stack([torch.ones_like(units_T), units_T])
        for name, part in gradient.items():
            # Both sums in one reading of the gradients.
            summed = (weights_2T @ part.flatten(1)).unflatten(1, part.shape[1:])
            _add(self._total, {name: summed[0]})
            _add(self._directions, {name: summed[1]})
        _add(self._total, learned or {})

    def mean(self) -> Weights:
        """The mean over tasks, the joint loss mixed in."""
        mean = {name: part / self._num_tasks for name, part in self._total.items()}
        share = self.config.joint_weight / self._num_tasks
        for name, part in self._joint.items():
            mean[name] = part * share if name not in mean else mean[name].add_(part, alpha=share)
        return mean

    def descend(self) -> None:
        """One optimiser step down the mean. Raises DivergedError, before that, when it is not finite."""
        self.measure_cosine()
        self.learner.descend(self.mean(), self.watch)
        self.observe()

    def measure_cosine(self) -> None:
        """Tell the mean cosine between the gradients of two tasks, where two have one that is not 0."""
        self.watch.settle()
        moving = sum(int((lengths_T > 0).sum()) for lengths_T in self._lengths)
        pairs = moving * (moving - 1)
        if pairs:
            length = float(torch.nn.utils.get_total_norm(self._directions.values()))
            self.watch.measured("gradient_cosine", (length**2 - moving) / pairs)

    @torch.no_grad()
    def observe(self) -> None:
        """Let the Fisher information take in the squared gradients of this step, scaled to a mean of 1."""
        if not self._squares:
            return
        squares = self._squares.values()
        mean = sum(part.sum() for part in squares) / sum(part.numel() for part in squares)
        for name, part in self._squares.items():
            kept = self.learner.learned[FISHER + name]
            kept.lerp_(part / mean.clamp(min=_TINY), 1 - _FISHER_DECAY)


def _add(total: Weights, part: Mapping[str, Tensor]) -> None:
    for name, value in part.items():
        total[name] = total[name].add_(value) if name in total else value
