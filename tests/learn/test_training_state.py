import math

import pytest

from metalm.config import Budget
from metalm.learn.state import State
from metalm.learn.stopping import never
from metalm.learn.watch import Watch
from metalm.model.flops import forward_flops


@pytest.mark.parametrize(
    ("unit", "amount", "share"),
    [("steps", 8, 0.5), ("tokens", 1000, 0.1), ("minutes", 4, 0.25), ("steps", 2, 1)],
)
def test_progress_is_the_share_of_the_budget(unit, amount, share):
    state = State(step=4, tokens=100, seconds=60.0)

    assert state.progress(Budget(unit=unit, amount=amount)) == share


def test_a_hessian_product_counts_as_three_gradients(model, tokenizer):
    watch, state = Watch(5, tokenizer, never), State(step=4, tokens=10, gradient_evaluations=20, flops=7.0)
    watch.tokens, watch.hessian_tokens, watch.scored = 100, 10, 3

    state.count(watch, model)

    assert (state.step, state.tokens, state.gradient_evaluations) == (5, 110, 150)
    assert state.flops == 7 + (300 + 90 + 3) * forward_flops(model)


def test_only_a_better_value_is_the_best():
    state = State(step=1)
    taken = []
    for value in (math.nan, 3.0, 3.0, math.inf, math.nan, 2.5):
        taken.append(state.take_best(value))
        state.step += 1

    assert taken == [False, True, False, False, False, True]
    assert (state.best_step, state.best_value) == (6, 2.5)
