"""Importance: what decides explains all, what does not explains little, and only order counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.evaluate.importance import MIN_RUNS, importance


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def runs(rng):
    """Forty runs whose outcome is the logarithm of `lr`, backwards; `noise` has no part in it."""
    lr = 10 ** rng.uniform(-4, 0, 40)
    words = np.where(lr > np.median(lr), "fast", "slow")
    table = pd.DataFrame({"noise": rng.normal(size=40), "lr": lr, "word": words, "same": 1.0})
    return table, pd.Series(-np.log(lr))


def test_what_decides_explains_everything_and_noise_little(runs):
    found = importance(*runs).set_index("setting")
    assert list(found.index)[0] == "lr"
    assert found.loc["lr", "explains"] == pytest.approx(1)
    assert (found.loc["lr", "direction"], found.loc["word", "direction"]) == (-1, 0)
    assert found.loc["lr", "chance"] == pytest.approx(0.001)
    assert found.loc["word", "explains"] == pytest.approx(0.75, abs=0.01)
    assert found.loc["noise", "explains"] < 0.3
    assert "same" not in found.index


def test_a_word_of_two_values_explains_what_a_number_of_two_does(runs):
    table, outcome = runs
    both = pd.DataFrame({"word": table["word"], "number": (table["word"] == "fast").astype(float)})
    found = importance(both, outcome).set_index("setting")
    assert found.loc["word", "explains"] == pytest.approx(found.loc["number", "explains"])


def test_runs_without_setting_or_outcome_stay_out(runs):
    table, outcome = runs
    table.loc[:9, "lr"] = np.nan
    outcome[39] = np.nan
    found = importance(table, outcome).set_index("setting")
    assert (found.loc["lr", "runs"], found.loc["word", "runs"]) == (29, 39)
    assert importance(table.head(MIN_RUNS - 1), outcome.head(MIN_RUNS - 1)).empty


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=MIN_RUNS, max_size=30))
def test_shares_are_shares_and_only_order_counts(pairs):
    table = pd.DataFrame(pairs, columns=["x", "y"]).astype(float)
    found = importance(table[["x"]], table["y"])
    again = importance(np.exp(table[["x"]]), table["y"] ** 3)
    pd.testing.assert_frame_equal(found, again)
    assert found["explains"].between(0, 1).all()
    assert found["chance"].between(0, 1).all()


def test_outcomes_shuffled_at_random_are_told_to_be_chance(rng):
    table = pd.DataFrame({f"s{i}": rng.normal(size=30) for i in range(40)})
    found = importance(table, pd.Series(rng.normal(size=30)))
    assert (found["chance"] < 0.05).mean() < 0.25
