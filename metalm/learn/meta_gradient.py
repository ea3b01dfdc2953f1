"""The exact gradient of query losses after adaptation: the chain rule, walked backwards, nothing unrolled.

An adaptation step is theta' = s (theta - r c g(theta)) + (1 - s) theta_0: g the gradient of the support
loss, H its Hessian, r the rate, c the clip factor (a constant of the step), s what the pull to theta_0
leaves of the way (1 without one). So with v = dL/dtheta' the way back is one Hessian product:

    dL/dtheta = u - H (r c u),    dL/dr = -c g u,    dL/dtheta_0 += (1 - s) v,    where u = s v,

plus the gradient of the query loss at theta itself, where that step is judged too. First order means that g
is taken for a constant: H falls away. Memory holds the weights of each step, and nothing of the network's
inside.

Source: Finn et al. 2017, equation 1 (arXiv:1703.03400), taken apart; by hand as in Rajeswaran et al. 2019,
section 2.2 (arXiv:1909.04630).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from metalm.learn.inner import Adapted
from metalm.learn.moves import share_left
from metalm.learn.rules import FISHER, RATE, Rule
from metalm.learn.spaces import added, space_of
from metalm.model.engine import Engine, Windows
from metalm.model.fast_weights import Weights
from metalm.model.task_weights import TaskWeights, norms_T, per_task

# Of the adaptation step (from 0), its windows, and the norm of each task's product.
OnProduct = Callable[[int, Windows, Tensor], None]


@dataclass
class MetaGradient:
    """by_task: of each task's objective, by slow weights and `context`. rates: by learned rates, summed over
    tasks."""

    by_task: TaskWeights = field(default_factory=dict)
    rates: Weights = field(default_factory=dict)


@torch.no_grad()
def meta_gradient(
    engine: Engine,
    rule: Rule,
    way: Sequence[Adapted],
    judged: Callable[[Adapted], TaskWeights | None],
    on_product: OnProduct | None,
) -> MetaGradient:
    """The gradient of the sum of what is judged along the way of an adaptation, for each task by itself.

    judged: the gradient of a part of the objective by the weights at that step, to be written over; None
    where nothing is judged, but not at the last. on_product hears of every Hessian product; None is first
    order, for which the way's lessons must hold their gradients where rates are
    learned.
    """
    back = _Back(engine, rule, way, on_product)
    for adapted in reversed(way):
        direct = judged(adapted)
        if direct is not None:
            back.join(adapted, direct)
        if adapted.step > 0:
            back.step(way[adapted.step - 1], adapted)
    return back.found()


class _Back:
    """The walk back. `v` is the gradient by the point that was reached."""

    def __init__(
        self,
        engine: Engine,
        rule: Rule,
        way: Sequence[Adapted],
        on_product: OnProduct | None,
    ) -> None:
        self._engine, self._rule, self._on_product = engine, rule, on_product
        self._space = space_of(rule, way[0].weights)
        # By rates and by the map of contexts; who learns neither saves a product.
        self._wants_gradient = any(not name.startswith(FISHER) for name in rule.learned)
        self._v: TaskWeights = {}
        self._found = MetaGradient()

    def join(self, adapted: Adapted, gradient: TaskWeights) -> None:
        """Add what is judged at a point."""
        added(self._v, self._space.pulled(gradient))
        added(self._found.by_task, self._space.slow(gradient, adapted.point))

    def step(self, before: Adapted, after: Adapted) -> None:
        """From the point after an adaptation step to the one before it."""
        lesson, u = after.lesson, self._let_go(self._v)
        if self._on_product is None:
            self._add_rates(u, lesson.gradient, lesson.factors_T, before.step)
        else:
            way = {name: self._stepped(name, part, lesson.factors_T, before.step) for name, part in u.items()}
            gradient, product = self._engine.hessian_product(
                before.weights, lesson.windows, self._space.pushed(way), gradient=self._wants_gradient
            )
            self._on_product(before.step, lesson.windows, norms_T(product))
            self._add_rates(u, gradient, lesson.factors_T, before.step)
            added(u, self._space.pulled(product), -1.0)
            added(self._found.by_task, self._space.slow(product, before.point), -1.0)
            added(self._found.by_task, self._space.slow_of_pull(gradient, way), -1.0)
        self._v = u

    def _stepped(self, name: str, u: Tensor, factors_T: Tensor, step: int) -> Tensor:
        """r c u"""
        rate = self._rule.rate(name, step)
        if isinstance(rate, Tensor):
            return (u * rate).mul_(per_task(factors_T, u))
        return u * per_task(rate * factors_T, u)

    def _add_rates(self, u: TaskWeights, gradient: TaskWeights | None, factors_T: Tensor, step: int) -> None:
        for name, part in u.items():
            factors = self._rule.learned.get(RATE + name)
            if factors is not None:
                row = min(step, len(factors) - 1)
                slope = torch.tensordot(factors_T, part * gradient[name], dims=1)
                rates = self._found.rates.setdefault(RATE + name, torch.zeros_like(factors))
                rates[row].sub_(slope.sum_to_size(factors[row].shape), alpha=self._rule.inner.lr)

    def found(self) -> MetaGradient:
        """All of it, at the start of the way."""
        added(self._found.by_task, self._space.slow_of_start(self._v))
        return self._found

    def _let_go(self, v: TaskWeights) -> TaskWeights:
        """u; what the pull holds of v goes to the start."""
        if not self._rule.inner.proximal:
            return v
        u = {name: part * share_left(self._rule, name, part) for name, part in v.items()}
        added(self._found.by_task, self._space.slow_of_start({name: v[name] - u[name] for name in v}))
        return u
