"""Learning curves less those of a baseline."""

import math

import numpy as np
import pandas as pd
import pytest

from metalm.dashboard.charts.curve_differences import curve_differences
from metalm.dashboard.charts.lines import DEFAULT_VIEW
from metalm.dashboard.palette import run_styles

STYLES = run_styles({"base": "the baseline", "one": "first", "two": "second"})


def curve(**runs):
    """Bits per byte by x of each run, over 1000 bytes."""
    return pd.DataFrame(
        [
            {"run": run, "x": x, "nats": bits * 1000 * math.log(2), "bytes": 1000}
            for run, points in runs.items()
            for x, bits in points.items()
        ]
    )


def drawn(figure):
    return {trace.uid: (np.array(trace.x), np.array(trace.y)) for trace in figure.data}


def test_a_difference_is_taken_at_the_runs_own_x_from_the_baselines_line():
    figure = curve_differences(
        curve(base={0: 5.0, 10: 3.0}, one={0: 5.5, 5: 3.5, 10: 3.0}), "base", STYLES, DEFAULT_VIEW
    )
    x, y = drawn(figure)["one"]
    assert x.tolist() == [0, 5, 10]
    assert y.tolist() == pytest.approx([0.5, -0.5, 0.0], abs=1e-6)


def test_the_baseline_has_no_line_and_nothing_is_made_up_beyond_its_points():
    figure = curve_differences(
        curve(base={0: 5.0, 10: 3.0}, one={0: 5.0, 20: 2.0}), "base", STYLES, DEFAULT_VIEW
    )
    assert set(drawn(figure)) == {"one"}
    assert np.isnan(drawn(figure)["one"][1]).tolist() == [False, True]


@pytest.mark.parametrize(
    "points", [{"one": {0: 3.0}}, {"base": {0: 3.0}}, {"base": {0: 3.0}, "one": {5: 2.0}}]
)
def test_without_a_place_where_both_have_points_it_says_so(points):
    figure = curve_differences(curve(**points), "base", STYLES, DEFAULT_VIEW)
    assert not figure.data
    assert "baseline" in figure.layout.annotations[0].text
