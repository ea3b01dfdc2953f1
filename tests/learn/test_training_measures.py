import math

import pytest
import torch

from metalm.config import InnerLoop
from metalm.learn.measures import effective_rank, measures
from metalm.learn.rules import RATE, Rule


def told(weights, start, rule=None):
    found = measures(weights, start, rule or Rule(InnerLoop(lr=0.5)))
    return {(measure.name, measure.adaptation_step): measure.value for measure in found}


def test_drift_is_the_way_in_units_of_the_start():
    start = {"w": torch.tensor([3.0, 4.0]), "zero": torch.zeros(2)}
    weights = {"w": torch.tensor([3.0, 9.0]), "zero": torch.ones(2)}

    assert told(weights, start) == {("drift/w", None): 1.0}


@pytest.mark.parametrize("rank", [1, 3, 4])
def test_the_effective_rank_of_equal_singular_values_is_their_number(rank):
    left, _ = torch.linalg.qr(torch.randn(9, 4))
    right, _ = torch.linalg.qr(torch.randn(4, 4))
    values = torch.tensor([7.0] * rank + [0.0] * (4 - rank))

    for matrix in (left * values @ right, (left * values @ right).T):
        assert effective_rank(matrix) == pytest.approx(rank, rel=1e-2)


def test_the_effective_rank_is_the_exponential_of_an_entropy():
    values = torch.tensor([0.7, 0.2, 0.1])
    entropy = -sum(float(v) * math.log(v) for v in values)

    assert effective_rank(torch.diag(values * 5)) == pytest.approx(math.exp(entropy), rel=1e-5)
    assert effective_rank(torch.zeros(3, 3)) == 0


def test_learned_rates_are_told_for_every_step():
    rates = {RATE + "w": torch.tensor([[1.0, 3.0], [0.5, 0.5]])}

    found = told({}, {}, Rule(InnerLoop(lr=0.5), rates))

    assert found == {("learned_rate/w", 0): 1.0, ("learned_rate/w", 1): 0.25}
