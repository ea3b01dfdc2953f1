import pytest
import torch

from metalm.config import InnerLoop
from metalm.learn.rules import FISHER, LEAST_FISHER, RATE, Rule

NAMES = ("embedding.weight", "rnn.weight_ih_l0", "rnn.bias_ih_l0", "linear.weight", "linear.bias")


@pytest.mark.parametrize(
    ("adapts", "expected"),
    [
        ("all", NAMES),
        ("head", NAMES[3:]),
        ("head+embedding", (NAMES[0], *NAMES[3:])),
        ("biases", (NAMES[2], NAMES[4])),
        ("context", ()),
    ],
)
def test_the_weights_that_adapt_are_those_that_the_setting_names(adapts, expected):
    assert Rule(InnerLoop(adapts=adapts)).adapting(NAMES) == expected


def test_a_tied_models_table_belongs_to_its_head():
    tied = tuple(name for name in NAMES if name != "linear.weight")

    assert Rule(InnerLoop(adapts="head")).adapting(tied) == ("embedding.weight", "linear.bias")


def test_rates_are_factors_of_the_setting_and_the_last_row_serves_later_steps():
    rule = Rule(InnerLoop(lr=0.5), {RATE + "w": torch.tensor([[2.0], [4.0]])})

    assert [float(rule.rate("w", step)) for step in range(4)] == [1, 2, 2, 2]
    assert rule.rate("other", 3) == 0.5
    assert float(rule.with_inner(lr=0.25).rate("w", 0)) == 0.5


def test_the_pull_is_weighted_by_the_fisher_information_and_never_quite_nothing():
    rule = Rule(InnerLoop(proximal=2.0), {FISHER + "w": torch.tensor([0.0, 1.0, 3.0])})

    assert rule.pull("w").tolist() == pytest.approx([2 * LEAST_FISHER, 2, 6])
    assert rule.pull("other") == 2
