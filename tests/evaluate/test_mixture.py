import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalm.evaluate.mixture import bayes, pool, posterior_weights, uniform

sizes = st.tuples(st.integers(1, 5), st.integers(1, 30))
tables = sizes.flatmap(lambda size: arrays(np.float64, size, elements=st.floats(0.0, 9.0)))


@given(tables)
def test_the_pool_is_the_mean_of_the_experts_probabilities(nats_TN):
    assert np.exp(-pool(nats_TN)) == pytest.approx(np.exp(-nats_TN).mean(axis=0))


@given(arrays(np.float64, (1, 12), elements=st.floats(0.0, 9.0)))
def test_a_mixture_of_one_expert_is_that_expert(nats_TN):
    assert pool(nats_TN) == pytest.approx(nats_TN[0])
    assert bayes(nats_TN)[0] == pytest.approx(nats_TN[0])


@given(tables)
def test_bayes_telescopes_to_the_mean_of_the_sequence_probabilities(nats_TN):
    total = bayes(nats_TN)[0].sum()
    assert np.exp(-total) == pytest.approx(np.exp(-nats_TN.sum(axis=1)).mean(), rel=1e-9)


@given(tables)
def test_bayes_after_a_support_set_is_bayes_over_both_less_the_support_set(nats_TN):
    cut = nats_TN.shape[1] // 2
    weights_T = posterior_weights(nats_TN[:, :cut].sum(axis=1))
    assert bayes(nats_TN[:, cut:], weights_T)[0] == pytest.approx(bayes(nats_TN)[0][cut:])


@given(tables, st.floats(0.1, 20.0))
def test_weights_are_a_distribution_that_orders_experts_by_their_support_nats(nats_TN, temperature):
    weights_T = posterior_weights(nats_TN.sum(axis=1), temperature)
    assert weights_T.sum() == pytest.approx(1.0)
    assert np.all(np.diff(weights_T[np.argsort(nats_TN.sum(axis=1))]) <= 1e-12)
    assert bayes(nats_TN)[1].sum(axis=0) == pytest.approx(np.ones(nats_TN.shape[1]))


def test_a_high_temperature_trusts_all_alike_and_a_low_one_the_best_alone():
    nats_T = np.array([3.0, 1.0, 2.0])
    assert posterior_weights(nats_T, 1e9) == pytest.approx(uniform(3))
    assert posterior_weights(nats_T, 1e-3) == pytest.approx([0.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        posterior_weights(nats_T, 0)


def test_an_expert_of_no_weight_says_nothing_and_one_that_rules_a_token_out_is_forgotten():
    nats_TN = np.array([[1.0, 1.0], [np.inf, 0.1]])
    assert pool(nats_TN, np.array([1.0, 0.0])) == pytest.approx([1.0, 1.0])
    nats_N, weights_TN = bayes(nats_TN)
    assert nats_N == pytest.approx([1.0 + np.log(2), 1.0])
    assert weights_TN[:, 1] == pytest.approx([1.0, 0.0])
