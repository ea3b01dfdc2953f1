"""Few points of a run: whole steps, evenly chosen, the last and every validation among them."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalm.errors import ConfigError
from metalm.home.bundle_files import METRICS
from metalm.home.thinning import thinned
from metalm.store.metrics import Point

NAMES = ["query_nats", "query_tokens", "lr", "validation_nats", "drift/linear.bias"]


def table(points):
    return pa.Table.from_pylist([point._asdict() for point in points], schema=METRICS)


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(NAMES))), st.integers(2, 12))
def test_steps_stay_or_go_whole_and_few_stay(pairs, max_points):
    points = table([Point(step, step, 1.0, name, None, None, 0.5) for step, name in sorted(pairs)])

    kept = thinned(points, max_points)

    steps = {step for step, _ in pairs}
    validated = {step for step, name in pairs if name.startswith("validation_")}
    left = set(kept["step"].to_pylist())
    assert kept.to_pylist() == [row for row in points.to_pylist() if row["step"] in left]
    assert len(left) <= 2 * max_points
    assert len(left & validated) >= min(len(validated), max_points)
    for wanted in filter(None, (steps, validated)):
        assert {min(wanted), max(wanted)} <= left
    if len(steps) <= max_points:
        assert kept.equals(points)


def test_chosen_steps_are_even():
    points = table([Point(step, step, 1.0, "lr", None, None, 0.5) for step in range(1, 102)])
    assert thinned(points, 5)["step"].to_pylist() == [1, 26, 51, 76, 101]


def test_a_single_point_is_no_curve():
    with pytest.raises(ConfigError, match="must be 2 or more, got 1"):
        thinned(table([]), 1)
