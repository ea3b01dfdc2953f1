"""What is read of a training's measures: panels, adaptation steps, the newest rates."""

import pandas as pd
import pytest

from metalm.dashboard import measures
from metalm.dashboard.measures import DIAGNOSTICS
from metalm.store.metrics import Point
from metalm.store.store import Store

RUNS = ("a" * 12, "b" * 12)


@pytest.fixture
def metrics(tmp_path):
    """Two runs: both with an outer gradient norm, the first with learned rates at two outer steps."""
    store = Store(tmp_path / "metalm.duckdb")
    for step in (1, 2):
        for run in RUNS:
            store.metrics.add(run, [Point(step, 0, 0.0, "gradient_norm", None, None, step)])
        rates = [
            Point(step, 0, 0.0, f"learned_rate/{weight}", None, k, step + k / 10)
            for weight in ("linear.weight", "linear.bias")
            for k in (0, 1)
        ]
        store.metrics.add(RUNS[0], rates)
    store.flush()
    yield store.metrics
    store.close()


def test_adaptation_steps_are_counted_from_one_and_weights_are_panels(metrics):
    points = measures.gather(metrics, RUNS, DIAGNOSTICS["Learned rates"], "step")
    assert sorted(points["adaptation_step"].unique()) == [1, 2]
    assert set(points["panel"]) == {"linear.weight", "linear.bias"}


def test_a_measure_about_no_weight_has_its_title_as_panel(metrics):
    points = measures.gather(metrics, RUNS, DIAGNOSTICS["Gradient norms"], "step")
    assert set(points["panel"]) == {"outer loop"}
    assert points["adaptation_step"].isna().all()
    assert measures.by_step(points)["panel"].tolist() == points["panel"].tolist()


def test_lines_of_several_runs_have_a_panel_for_each_step(metrics):
    points = measures.by_step(measures.gather(metrics, RUNS, DIAGNOSTICS["Learned rates"], "step"))
    assert {"linear.weight, step 1", "linear.bias, step 2"} <= set(points["panel"])
    assert not points.duplicated(["run", "panel", "x"]).any()


def test_the_newest_rates_are_weights_times_steps(metrics):
    points = measures.gather(metrics, RUNS, DIAGNOSTICS["Learned rates"], "step")
    rates = measures.last_rates(points, RUNS[0])
    assert rates.loc["linear.weight"].tolist() == [2.0, 2.1]
    assert list(rates.columns) == ["step 1", "step 2"]
    assert measures.last_rates(points, RUNS[1]).empty


def test_a_rate_that_all_steps_share_belongs_to_none(metrics):
    metrics.add(RUNS[1], [Point(1, 0, 0.0, "learned_rate/linear.weight", None, 0, 0.5)])
    metrics._database.flush()
    points = measures.gather(metrics, RUNS, DIAGNOSTICS["Learned rates"], "step")
    assert points.loc[points["run"] == RUNS[1], "adaptation_step"].isna().all()
    assert measures.last_rates(points, RUNS[1]).to_dict() == {"every step": {"linear.weight": 0.5}}


def test_only_what_was_measured_is_available(metrics):
    names = metrics.measured(RUNS)
    rates = DIAGNOSTICS["Learned rates"]
    assert [measures.available(rates, names[run]) for run in RUNS] == [True, False]


def test_nothing_measured_gathers_to_an_empty_frame(metrics):
    points = measures.gather(metrics, RUNS, DIAGNOSTICS["Effective rank"], "flops")
    assert isinstance(points, pd.DataFrame)
    assert points.empty
