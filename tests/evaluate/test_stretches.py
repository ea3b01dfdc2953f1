"""The interval of one text's figure: around it, wider where neighbours are alike, and honest."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.evaluate.stretches import interval_per_byte


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(64, 900))
def test_the_interval_is_around_the_figure_and_the_same_every_time(seed, size):
    rng = np.random.default_rng(seed)
    bits, num_bytes = rng.normal(1, 2, size), rng.integers(1, 5, size)
    low, high = interval_per_byte(bits, num_bytes)
    assert low < bits.sum() / num_bytes.sum() < high
    assert interval_per_byte(bits, num_bytes) == (low, high)


def test_what_is_the_same_everywhere_is_sure():
    assert interval_per_byte(np.full(100, 3.0), np.full(100, 2)) == pytest.approx((1.5, 1.5))


def test_neighbours_that_are_alike_make_it_wider():
    values = np.random.default_rng(0).normal(size=900)
    alike = np.sort(values)  # the same values, those that are alike side by side
    widths = [np.diff(interval_per_byte(bits, np.ones(900)))[0] for bits in (values, alike)]
    assert widths[1] > 3 * widths[0]


def test_it_holds_the_truth_about_as_often_as_it_says():
    rng, size, times = np.random.default_rng(1), 600, 200
    held = 0
    for _ in range(times):
        noise = rng.normal(size=size + 4)
        bits = np.convolve(noise, np.ones(5) / 5, "valid")  # neighbours hang together, the mean is 0
        low, high = interval_per_byte(bits, np.ones(size))
        held += low <= 0 <= high
    assert 0.87 <= held / times <= 0.99


@pytest.mark.parametrize("size", [0, 1, 40])
def test_a_short_text_says_nothing_of_its_spread(size):
    assert all(map(math.isnan, interval_per_byte(np.ones(size), np.ones(size))))


def test_an_infinite_cost_has_no_interval():
    bits = np.ones(400)
    bits[7] = np.inf
    assert all(map(math.isnan, interval_per_byte(bits, np.ones(400))))
