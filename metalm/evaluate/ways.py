"""Ways to adapt that any run can take beside its own, each tuned on meta-validation over as many points.

head only   the output layer moves, nothing else (Raghu et al. 2020, arXiv:1909.09157)
proximal    fine-tuning under a Gaussian prior around the slow weights, a pull lambda/2 |theta - theta_0|^2
            (Ponti et al. 2019, arXiv:2108.03334 has the Laplace prior it stems from)
Adam        fine-tuning by Adam without momentum, as inside Reptile (Nichol et al. 2018)
one rate    fine-tuning at one tuned rate in the place of those that the run learned
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from metalm.evaluate.contenders import AdaptingGru, Method
from metalm.learn.rules import FISHER, RATE, Rule
from metalm.learn.stopping import ShouldStop, never
from metalm.learn.tuning import Adaptation, Grid, tune
from metalm.text.tasks import TaskText

Tried = list[tuple[Rule, Grid]]

# All try twelve points, beside no adaptation at all; these have another scale than `Grid`'s own.
_HEAD = Grid(lrs=(0.5, 1.0, 2.0, 4.0))
_ADAM = Grid(lrs=(0.0005, 0.001, 0.002, 0.004))
_PULLS, _PULLED = (0.1, 1.0), Grid(lrs=(0.25, 0.5))


def _head_only(rule: Rule) -> Tried:
    return [(_plain(rule).with_inner(adapts="head"), _HEAD)]


def _proximal(rule: Rule) -> Tried:
    plain, fisher = _plain(rule), {n: tensor for n, tensor in rule.learned.items() if n.startswith(FISHER)}
    return [(replace(plain.with_inner(proximal=pull), learned=fisher), _PULLED) for pull in _PULLS]


def _adam(rule: Rule) -> Tried:
    return [(_plain(rule).with_inner(optimizer="adam"), _ADAM)]


def _one_rate(rule: Rule) -> Tried:
    return [(_plain(rule), Grid())]


WAYS: dict[Method, Callable[[Rule], Tried]] = {
    "head only": _head_only,
    "proximal": _proximal,
    "Adam": _adam,
    "one rate": _one_rate,
}


def _plain(rule: Rule) -> Rule:
    """All weights at one rate, nothing that was learned about adaptation; windows and batch as in `rule`."""
    inner = replace(rule.inner, adapts="all", optimizer="sgd", proximal=0.0, fisher=False)
    return Rule(inner)


def ways_of(rule: Rule) -> tuple[Method, ...]:
    """The ways that are another for a run than its own: one rate only where rates were learned."""
    learns_rates = any(name.startswith(RATE) for name in rule.learned)
    return tuple(method for method in WAYS if method != "one rate" or learns_rates)


def tuned_way(
    method: Method, own: AdaptingGru, validation: Sequence[TaskText], *, should_stop: ShouldStop = never
) -> Adaptation:
    """How `own` adapts best in this way, on meta-validation texts. Raises Stopped."""
    found = [
        tune(own.model, own.weights, own.tokenizer, validation, rule, grid, should_stop=should_stop)
        for rule, grid in WAYS[method](own.rule)
    ]
    return min(found, key=lambda one: one.bits_per_byte)


def by_way(method: Method, own: AdaptingGru, adaptation: Adaptation) -> AdaptingGru:
    """`own` adapting in this way, as it was tuned."""
    [rule, *_] = [rule for rule, _ in WAYS[method](own.rule)]
    adapted = replace(rule, inner=adaptation.inner)
    return replace(own, method=method, rule=adapted, lengths=adaptation.lengths)
