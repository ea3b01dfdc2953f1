"""Scaling curves find what made the points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.studies.scaling import fitted

N = np.array([1.0, 2, 4, 8, 16, 32])


@given(floor=st.floats(0.5, 4), scale=st.floats(0.5, 4), exponent=st.floats(0.2, 2))
@settings(max_examples=25)
def test_a_curve_is_found_again(floor, scale, exponent):
    values = np.tile(floor + scale * N**-exponent, (3, 1))
    curve = fitted(N, values, resamples=2)
    assert curve.at(N) == pytest.approx(values[0], abs=0.01)
    assert curve.exponent == pytest.approx(exponent, rel=0.1)
    assert curve.floor_interval == (pytest.approx(curve.floor), pytest.approx(curve.floor))


def test_the_interval_holds_the_curve_of_the_means():
    shift = np.linspace(-0.5, 0.5, 9)[:, None]
    curve = fitted(N, 2 + shift + (1 + shift) * N**-1.0)
    assert curve.floor_interval[0] < curve.floor < curve.floor_interval[1]
    assert curve.floor == pytest.approx(2.0, abs=0.01)


def test_values_that_rise_have_a_flat_curve_and_floors_are_never_below_nothing():
    rising = fitted(N, np.tile(N, (2, 1)))
    assert rising.scale == 0
    assert rising.floor == pytest.approx(N.mean())
    below = fitted(N, np.tile(3 * N**-0.1 - 1, (2, 1)))
    assert below.floor >= 0


def test_two_points_and_infinite_values_have_no_curve():
    assert fitted(N[:2], np.ones((3, 2))) is None
    assert fitted(N, np.full((3, 6), np.inf)) is None
