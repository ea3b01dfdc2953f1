"""Curves say what was added: sums over tasks after the last adaptation step, and no extreme is lost."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalm.store.metrics import Point


def test_a_curve_sums_the_tasks_of_a_report(store, run, loss_points):
    for step in range(1, 4):
        for number, task in enumerate("uvw"):
            store.metrics.add(run.id, loss_points(step, step + number / 10, task=task))
    store.flush()
    curve = store.metrics.curve([run.id], "query")
    assert list(curve.columns) == [
        "run",
        "x",
        "step",
        "adaptation_step",
        "nats",
        "tokens",
        "bytes",
        "chars",
        "dropped",
    ]
    assert curve["nats"].tolist() == pytest.approx([3 * step + 0.3 for step in range(1, 4)])
    assert (curve["tokens"] == 30).all()
    assert (curve["bytes"] == 60).all()
    assert (curve["chars"] == 45).all()


def test_a_curve_takes_the_last_adaptation_step_of_each_report(store, run, loss_points):
    for step, last in ((1, 3), (2, 5)):
        for adaptation_step in range(last + 1):
            store.metrics.add(
                run.id, loss_points(step, 10.0 - adaptation_step, adaptation_step=adaptation_step)
            )
    store.flush()
    curve = store.metrics.curve([run.id], "query")
    assert curve["adaptation_step"].tolist() == [3, 5]
    assert curve["nats"].tolist() == [7.0, 5.0]


@pytest.mark.parametrize(("axis", "place"), [("step", 4), ("tokens", 400), ("wall_seconds", 2.0)])
def test_a_curve_is_over_the_axis_asked_for(store, run, loss_points, axis, place):
    store.metrics.add(run.id, loss_points(4, 1.0))
    store.metrics.add(run.id, [Point(4, 400, 2.0, "lr", None, None, 0.1)])
    store.flush()
    assert store.metrics.curve([run.id], "query", x=axis)["x"].tolist() == [place]
    assert store.metrics.task_curve([run.id], "query", x=axis)["x"].tolist() == [place]
    assert store.metrics.scalar_curve([run.id], "lr", x=axis)["x"].tolist() == [place]


def test_parts_and_runs_are_kept_apart(store, run, another_run, loss_points):
    store.metrics.add(run.id, loss_points(1, 1.0) + loss_points(1, 2.0, part="validation"))
    store.metrics.add(another_run.id, loss_points(1, 3.0))
    store.flush()
    both = store.metrics.curve([run.id, another_run.id], "query")
    assert dict(zip(both["run"], both["nats"], strict=True)) == {run.id: 1.0, another_run.id: 3.0}
    assert store.metrics.curve([run.id], "validation")["nats"].tolist() == [2.0]
    assert store.metrics.curve([run.id], "support").empty
    assert store.metrics.curve([], "query").empty


def test_task_curves_have_a_line_a_task(store, run, loss_points):
    for task in "uv":
        for step in range(3):
            store.metrics.add(run.id, loss_points(step, ord(task) + step, task=task))
    store.flush()
    lines = store.metrics.task_curve([run.id], "query")
    assert lines.groupby("task_id")["nats"].apply(list).to_dict() == {
        task: [ord(task) + step for step in range(3)] for task in "uv"
    }
    assert store.metrics.task_curve([run.id], "query", task_id="v")["task_id"].unique().tolist() == ["v"]


def test_points_that_are_not_finite_are_left_out_and_counted(store, run, loss_points):
    values = [1.0, math.nan, 3.0, math.inf, 5.0]
    for step, nats in enumerate(values):
        store.metrics.add(run.id, loss_points(step, nats))
        store.metrics.add(run.id, [Point(step, 0, 0.0, "gradient_norm", None, None, nats)])
    store.flush()
    curve = store.metrics.curve([run.id], "query")
    assert curve["nats"].tolist() == [1.0, 3.0, 5.0]
    assert (curve["dropped"] == 2).all()
    scalar = store.metrics.scalar_curve([run.id], "gradient_norm")
    assert scalar["value"].tolist() == [1.0, 3.0, 5.0]
    assert (scalar["dropped"] == 2).all()
    assert store.metrics.last([run.id])["value"].tolist() == [5.0]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.integers(1, 4000), st.sampled_from([30, 100, 500]))
def test_thinning_keeps_ends_and_extremes_and_invents_nothing(store, seed, length, points):
    run_id = f"{seed:012x}"
    values = np.random.default_rng(seed).normal(size=length)
    steps = range(1, length + 1)
    store.metrics._database.execute("DELETE FROM metrics WHERE run = ?", [run_id])
    store.metrics.add(
        run_id, [Point(s, s, s, "lr", None, None, v) for s, v in zip(steps, values, strict=True)]
    )
    store.flush()
    curve = store.metrics.scalar_curve([run_id], "lr", points=points)
    assert 1 <= len(curve) <= points
    assert curve["step"].is_monotonic_increasing
    assert curve["value"].tolist() == values[curve["step"].to_numpy() - 1].tolist()
    assert curve["value"].max() == values.max()
    assert curve["value"].min() == values.min()
    assert curve["step"].iloc[-1] == length
    if length <= points:
        assert len(curve) == length


def test_a_long_loss_curve_is_thinned_as_a_whole_and_by_task(store, run):
    rng = np.random.default_rng(0)
    points = []
    for step in range(1, 3001):
        for task in ("u", "v"):
            values = {"nats": rng.uniform(1, 9), "tokens": 1, "bytes": 1, "chars": 1}
            points += [Point(step, step, step, f"query_{n}", task, 0, v) for n, v in values.items()]
    store.metrics.add(run.id, points)
    store.flush()
    sums = dict.fromkeys(range(1, 3001), 0.0)
    for point in points:
        if point.name == "query_nats":
            sums[point.step] += point.value
    curve = store.metrics.curve([run.id], "query")
    assert len(curve) <= 500
    assert curve["nats"].tolist() == pytest.approx([sums[step] for step in curve["step"]])
    assert curve["nats"].max() == pytest.approx(max(sums.values()))
    assert store.metrics.task_curve([run.id], "query").groupby("task_id").size().max() <= 500


def test_adaptation_curves_stand_at_the_last_report_that_has_the_part(store, run, loss_points):
    for step in (0, 5):
        for task in "uv":
            for adaptation_step in (0, 3):
                nats = step + adaptation_step
                points = loss_points(
                    step, nats, part="validation", task=task, adaptation_step=adaptation_step
                )
                store.metrics.add(run.id, points)
    store.metrics.add(run.id, loss_points(7, 1.0))
    store.flush()
    summed = store.metrics.adaptation_curve([run.id], "validation")
    assert summed["step"].unique().tolist() == [5]
    assert summed["nats"].tolist() == [10.0, 16.0]
    tasks = store.metrics.adaptation_curve([run.id], "validation", step=0, by_task=True)
    assert tasks["task_id"].tolist() == ["u", "u", "v", "v"]
    assert tasks["nats"].tolist() == [0.0, 3.0, 0.0, 3.0]


def test_the_last_scalars_are_those_of_the_last_step(store, run):
    for step in range(5):
        points = [Point(step, 0, 0.0, name, None, None, step * k) for name, k in (("lr", 1), ("norm", 2))]
        store.metrics.add(run.id, points)
    store.flush()
    last = store.metrics.last([run.id])
    assert last[["name", "step", "value"]].values.tolist() == [["lr", 4, 4.0], ["norm", 4, 8.0]]
    assert store.metrics.last([run.id], ["norm"])["name"].tolist() == ["norm"]


def test_a_measure_has_a_line_for_each_weight_and_adaptation_step(store, run):
    points = [Point(1, 0, 0.0, "learned_rate", None, None, 9.0)]
    for step in (1, 2):
        for weight in ("linear.weight", "rnn.bias_hh_l0"):
            for adaptation_step in (0, 1):
                value = step + adaptation_step / 10
                points.append(Point(step, 0, 0.0, f"learned_rate/{weight}", None, adaptation_step, value))
    store.metrics.add(run.id, [*points, Point(1, 0, 0.0, "learned_rates/other", None, 0, 7.0)])
    store.flush()
    curve = store.metrics.measure_curve([run.id], "learned_rate")
    assert list(curve.columns) == ["run", "weight", "adaptation_step", "x", "step", "value", "dropped"]
    lines = curve.groupby(["weight", "adaptation_step"], dropna=False)["value"].apply(list)
    assert lines["linear.weight", 1] == [1.1, 2.1]
    assert lines["rnn.bias_hh_l0", 0] == [1.0, 2.0]
    whole = curve[curve["weight"] == ""]
    assert whole["value"].tolist() == [9.0]
    assert whole["adaptation_step"].isna().all()
    assert len(curve) == 9


def test_a_measure_that_no_run_has_is_an_empty_curve(store, run):
    curve = store.metrics.measure_curve([run.id], "drift")
    assert curve.empty
    assert "weight" in curve


@pytest.mark.parametrize("axis", ["gradient_evaluations", "flops"])
def test_curves_are_drawn_over_what_was_spent_where_it_was_counted(
    store, run, another_run, loss_points, axis
):
    for step in (1, 2):
        store.metrics.add(run.id, loss_points(step, 1.0))
        place = step, 100 * step, 1.0
        store.metrics.add(
            run.id,
            [
                Point(*place, axis, None, None, 1e6 * step),
                Point(*place, "drift/linear.bias", None, None, 0.1),
            ],
        )
    store.metrics.add(another_run.id, [*loss_points(1, 2.0), Point(1, 1, 1.0, "lr", None, None, 0.1)])
    store.flush()
    both = [run.id, another_run.id]
    curve = store.metrics.curve(both, "query", x=axis)
    assert curve["run"].unique().tolist() == [run.id]
    assert curve["x"].tolist() == [1e6, 2e6]
    assert store.metrics.measure_curve(both, "drift", x=axis)["x"].tolist() == [1e6, 2e6]
    assert store.metrics.scalar_curve([another_run.id], "lr", x=axis).empty
    assert store.metrics.measured(both) == {run.id: {axis, "drift"}, another_run.id: {"lr"}}
