import numpy as np
import pytest

from metalm.evaluate.bootstrap import interval, intervals


def test_interval_is_the_same_for_the_same_seed():
    values = np.random.default_rng(0).normal(size=12)
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    draws = [interval(rng.normal(2.0, 0.5, size=20), seed=i, resamples=500) for i in range(400)]
    covered = np.mean([low <= 2.0 <= high for low, high in draws])
    assert 0.88 <= covered <= 0.98  # percentile intervals of 20 values are a little narrow


def test_interval_contains_the_mean_and_grows_with_the_spread():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    low, high = interval(values)
    assert low < values.mean() < high
    wide_low, wide_high = interval(values * 2)
    assert wide_high - wide_low == pytest.approx(2 * (high - low))


def test_many_at_once_are_each_alone():
    rng = np.random.default_rng(2)
    columns = [rng.normal(size=n) for n in (5, 8, 5, 1)] + [np.array([1.0, np.inf])]
    for together, values in zip(intervals(columns, seed=1), columns, strict=True):
        assert together == pytest.approx(interval(values, seed=1), nan_ok=True)
    assert intervals([]) == []


def test_one_value_or_an_infinite_one_has_no_interval():
    assert np.isnan(interval(np.array([1.0]))).all()
    assert np.isnan(interval(np.array([1.0, 2.0, np.inf]))).all()
