import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalm.evaluate.mixing import Mixer


def distributions(seed, experts, symbols):
    """(E, V) log probabilities."""
    p = np.random.default_rng(seed).dirichlet(np.full(symbols, 0.5), size=experts) + 1e-9
    return np.log(p / p.sum(axis=1, keepdims=True))


@given(
    seed=st.integers(0, 999),
    experts=st.integers(1, 5),
    symbols=st.integers(2, 256),
    rate=st.floats(0, 0.1),
    steps=st.integers(1, 8),
)
def test_the_mixture_is_a_distribution_whatever_was_learned(seed, experts, symbols, rate, steps):
    rng = np.random.default_rng(seed)
    mixer = Mixer([rng.normal(size=(3, experts)), rng.normal(size=(2, experts))], rate)
    for step in range(steps):
        log_p = mixer.mix(distributions(seed + step, experts, symbols), (step % 3, step % 2))
        assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-12)
        mixer.learn(int(rng.integers(symbols)))


@given(seed=st.integers(0, 999), symbols=st.integers(2, 256))
def test_one_expert_of_weight_one_is_that_expert(seed, symbols):
    mixer, experts = Mixer([np.ones((1, 1))], 0.0), distributions(seed, 1, symbols)

    assert mixer.mix(experts, (0,)) == pytest.approx(experts[0], abs=1e-12)
    mixer.learn(0)
    assert mixer.mix(experts, (0,)) == pytest.approx(experts[0], abs=1e-12)


@given(seed=st.integers(0, 999), symbol=st.integers(0, 6))
def test_learning_goes_down_the_gradient_of_the_nats(seed, symbol):
    experts, rate, nudge = distributions(seed, 3, 7), 0.01, 1e-6
    start = np.random.default_rng(seed).normal(size=(1, 3))

    def nats(weights):
        return -Mixer([weights], 0.0).mix(experts, (0,))[symbol]

    slope = [
        (nats(start + nudge * row) - nats(start - nudge * row)) / (2 * nudge) for row in np.eye(3)[:, None]
    ]
    mixer = Mixer([start], rate)
    mixer.mix(experts, (0,))
    mixer.learn(symbol)
    moved = start - rate * np.array(slope)
    assert mixer.mix(experts, (0,)) == pytest.approx(Mixer([moved], 0.0).mix(experts, (0,)), abs=1e-7)


def test_only_the_sets_that_were_picked_learn():
    experts = distributions(1, 2, 5)
    mixer = Mixer([np.full((2, 2), 0.5), np.zeros((2, 2))], 0.1)
    before = mixer.mix(experts, (1, 1))

    mixer.mix(experts, (0, 0))
    mixer.learn(3)

    assert np.array_equal(mixer.mix(experts, (1, 1)), before)
    assert mixer.mix(experts, (0, 1))[3] > before[3]
    assert mixer.mix(experts, (0, 0))[3] > mixer.mix(experts, (0, 1))[3]  # both of them moved


def test_an_expert_that_knows_soon_outweighs_one_that_does_not():
    rng, mixer = np.random.default_rng(0), Mixer([np.array([[0.5, 0.5]])], 0.02)
    nats = []
    for symbol in rng.integers(8, size=600):
        knows = np.full(8, 0.01)
        knows[symbol] = 0.93
        nats.append(-mixer.mix(np.log([knows, rng.dirichlet(np.ones(8))]), (0,))[symbol])
        mixer.learn(int(symbol))

    assert np.mean(nats[-100:]) < -np.log(0.93) + 0.02 < np.mean(nats[:100])


def test_a_constant_of_an_expert_changes_nothing():
    experts = distributions(3, 2, 9)
    mixer = Mixer([np.array([[0.3, 0.6]])], 0.1)
    assert mixer.mix(experts, (0,)) == pytest.approx(mixer.mix(experts + [[4.0], [-7.0]], (0,)), abs=1e-12)


def test_what_was_handed_in_stays_as_it_was():
    start, experts = np.array([[0.3, 0.6]]), distributions(3, 2, 9)
    kept = start.copy(), experts.copy()
    mixer = Mixer([start], 0.5)
    mixer.mix(experts, (0,))
    mixer.learn(2)
    assert np.array_equal(start, kept[0])
    assert np.array_equal(experts, kept[1])
