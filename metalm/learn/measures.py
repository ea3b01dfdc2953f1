"""What is told of the weights at every meta-validation: how far they went, how rich they still are.

drift/<weight>           |theta - theta_start| / |theta_start|
effective_rank/<weight>  of each matrix: exp of the entropy of its singular values, scaled to a sum of 1
(Roy and
                         Vetterli 2007); arXiv:2508.02189 watches it in meta-training
learned_rate/<weight>    the mean over the weight of the rate that was learned for an adaptation step
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from metalm.learn.reports import Measure
from metalm.learn.rules import RATE, Rule
from metalm.model.fast_weights import Weights


def speed(tokens: int, seconds: float) -> tuple[Measure, ...]:
    """How fast an outer step was. tokens: predictions whose gradient was taken."""
    return (
        Measure(name="seconds_per_step", value=seconds),
        Measure(name="tokens_per_second", value=tokens / seconds),
    )


def measures(weights: Weights, start: Weights, rule: Rule) -> tuple[Measure, ...]:
    """All of the above, for the slow weights and those that the run started from, where these are known."""
    return (*_drifts(weights, start), *_ranks(weights), *_rates(rule))


def _drifts(weights: Weights, start: Weights) -> Iterator[Measure]:
    for name, weight in weights.items():
        before = float(torch.linalg.vector_norm(start[name])) if name in start else 0.0
        # What started at 0 has no drift to speak of in its own size.
        if before > 0:
            value = float(torch.linalg.vector_norm(weight - start[name])) / before
            yield Measure(name=f"drift/{name}", value=value)


def _ranks(weights: Weights) -> Iterator[Measure]:
    for name, weight in weights.items():
        if weight.dim() == 2:
            yield Measure(name=f"effective_rank/{name}", value=effective_rank(weight))


def effective_rank(matrix: Tensor) -> float:
    """Between 1 and the smaller side of the matrix; 0 of a matrix of zeros."""
    tall = matrix.detach().to("cpu", torch.float64)  # mps has no float64
    tall = tall if tall.shape[0] >= tall.shape[1] else tall.T
    # From the Gram matrix: several times quicker than singular values, and exact enough for an entropy.
    values = torch.linalg.eigvalsh(tall.T @ tall).clamp(min=0).sqrt()
    if not float(values.sum()):
        return 0.0
    return float(torch.special.entr(values / values.sum()).sum().exp())


def _rates(rule: Rule) -> Iterator[Measure]:
    for name, factors in _learned_rates(rule.learned):
        for step, factor in enumerate(factors.flatten(1).mean(1).tolist()):
            yield Measure(name=f"learned_rate/{name}", value=rule.inner.lr * factor, adaptation_step=step)


def _learned_rates(learned: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in learned.items():
        if name.startswith(RATE):
            yield name.removeprefix(RATE), tensor
