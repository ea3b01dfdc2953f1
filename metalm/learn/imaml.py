"""Implicit MAML (Rajeswaran et al. 2019, algorithms 1 and 2, arXiv:1909.04630).

theta_t is held near theta by lambda/2 |theta_t - theta|_F^2. At the end of that adaptation
g(theta_t) + lambda F (theta_t - theta) = 0, so d theta_t / d theta = (H + lambda F)^-1 lambda F: the way
there does not matter. With q the query gradient at theta_t, dL/dtheta = lambda F y, (H + lambda F) y = q,
is found by conjugate gradients, a Hessian product each. Weights that do not adapt get q - H y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from metalm.config import Imaml
from metalm.learn.inner import Adapted, blocks
from metalm.learn.learner import Learner
from metalm.learn.outer_gradient import OuterGradient
from metalm.learn.rules import Rule
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.engine import side_by_side
from metalm.model.task_weights import TaskWeights, norms_T, per_task

Product = Callable[[TaskWeights], TaskWeights]


def meta_step(learner: Learner, episodes: Sequence[Episode], config: Imaml, watch: Watch) -> None:
    """One optimiser step along the mean over tasks of the implicit gradient."""
    outer = OuterGradient(learner, config, watch)
    for block in blocks(episodes, learner.engine.tasks_at_once):
        fast = outer.fast(block)
        gradient = outer.query_gradient(block, fast, outer.query(block))
        if config.cg_steps and config.inner.steps:
            product = _hessian(learner, block, fast, watch)
            gradient = implicit_gradient(product, gradient, fast.point, outer.rule, config.cg_steps)
        outer.add(block, gradient)
    outer.descend()


def _hessian(learner: Learner, episodes: Sequence[Episode], fast: Adapted, watch: Watch) -> Product:
    """The Hessian of each whole support set's loss at the fast weights, nothing dropped, as a product."""
    windows = side_by_side([episode.support.windows_NT for episode in episodes])

    def product(way: TaskWeights) -> TaskWeights:
        _, found = learner.engine.hessian_product(fast.weights, windows, way, gradient=False)
        watch.saw_hessian_product(episodes, fast.step, windows, norms_T(found))
        return found

    return product


@torch.no_grad()
def implicit_gradient(
    product: Product, query: TaskWeights, adapting: TaskWeights, rule: Rule, steps: int
) -> TaskWeights:
    """dL/dtheta from the query gradient: `steps` conjugate gradients from its first-order form.

    adapting: its names are those of the weights that adapt. A task's search ends where it meets a direction
    along which its objective does not curve up.
    """
    names = list(adapting)
    pull = {name: rule.pull(name) for name in names}
    y = {name: query[name] / pull[name] for name in names}
    curved = product(y)  # H y, by all names
    residual = {name: -curved[name] for name in names}
    way, length_T = dict(residual), _dot_T(residual, residual)
    for _ in range(steps):
        turned = product(way)
        system = {name: turned[name] + pull[name] * way[name] for name in names}
        curvature_T = _dot_T(way, system)
        share_T = torch.where((curvature_T > 0) & (length_T > 0), length_T / curvature_T, 0)
        y = _moved(y, share_T, way)
        curved = _moved(curved, share_T, turned)
        residual = _moved(residual, -share_T, system)
        shorter_T = _dot_T(residual, residual)
        # A task that has ended takes no way any more.
        turn_T = torch.where(share_T > 0, shorter_T / length_T, 0)
        way = {
            name: residual[name] * per_task((share_T > 0).to(share_T), residual[name])
            + per_task(turn_T, part) * part
            for name, part in way.items()
        }
        length_T = shorter_T
    held = {name: pull[name] * part for name, part in y.items()}
    return {name: held[name] if name in held else query[name] - curved[name] for name in query}


def _dot_T(left: TaskWeights, right: TaskWeights) -> Tensor:  # noqa: N802 (the suffix is the shape)
    return torch.stack([(left[name] * right[name]).flatten(1).sum(1) for name in left]).sum(0)


def _moved(point: TaskWeights, share_T: Tensor, way: TaskWeights) -> TaskWeights:
    return {name: torch.addcmul(part, per_task(share_T, part), way[name]) for name, part in point.items()}
