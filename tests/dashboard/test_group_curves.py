"""Curves of groups: means over the runs that are there, and no group knows another."""

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.dashboard import palette
from metalm.dashboard.charts.group_curves import averaged, group_curves
from metalm.dashboard.charts.lines import CurveView


def curve(**runs):
    """Points (x, bits per byte) by run, each over 10 bytes."""
    rows = [
        {"run": run, "x": x, "nats": bits * math.log(2) * 10, "bytes": 10}
        for run, points in runs.items()
        for x, bits in points
    ]
    return pd.DataFrame(rows, columns=["run", "x", "nats", "bytes"])


def test_the_mean_is_over_the_runs_that_cover_a_place():
    found = averaged(curve(a=[(0, 4.0), (10, 2.0)], b=[(5, 5.0), (20, 2.0)]))
    assert list(found["x"]) == [0, 5, 10, 20]
    assert list(found["runs"]) == [1, 2, 2, 1]
    assert list(found["mean"]) == pytest.approx([4, (3 + 5) / 2, (2 + 4) / 2, 2])
    assert found["deviation"][1] == pytest.approx(math.sqrt(2))
    assert found["deviation"].isna().tolist() == [True, False, False, True]


def test_a_group_is_a_line_with_a_band_and_a_single_run_has_none():
    points = curve(a=[(0, 4.0), (9, 3.0)], b=[(0, 3.0), (9, 2.0)], c=[(0, 9.0), (9, 8.0)])
    styles = palette.run_styles({"g": "two", "h": "one <b>"})
    figure = group_curves(points, {"a": "g", "b": "g", "c": "h"}, styles, CurveView())
    lines = [trace for trace in figure.data if trace.fill is None]
    assert [trace.name for trace in lines] == ["two (n = 2)", "one &lt;b&gt; (n = 1)"]
    assert list(lines[0].y) == pytest.approx([3.5, 2.5])
    assert len(figure.data) == 3
    assert not group_curves(points.head(0), {}, styles, CurveView()).data


VALUES = st.lists(st.tuples(st.integers(0, 9), st.floats(0.1, 9)), min_size=1, max_size=5)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from("abcdef"), VALUES, min_size=2), st.data())
def test_hiding_a_run_changes_no_other_group(runs, data):
    points = curve(**runs)
    groups = {run: data.draw(st.sampled_from(["g", "h"])) for run in runs}
    hidden = data.draw(st.sampled_from(sorted(runs)))
    styles = palette.run_styles({"g": "g", "h": "h"})

    def drawn(curve):
        figure = group_curves(curve, groups, styles, CurveView())
        return {trace.name: list(trace.y) for trace in figure.data if trace.name}

    other = {"g": "h", "h": "g"}[groups[hidden]]
    before, after = drawn(points), drawn(points[points["run"] != hidden])
    of_other = [name for name in before if name.startswith(other)]
    assert {name: before[name] for name in of_other} == {name: after[name] for name in of_other}
