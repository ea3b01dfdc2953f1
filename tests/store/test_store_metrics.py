"""Curves say what was added: sums over tasks after the last adaptation step, and no extreme is lost."""

import math

import numpy as np
import pandas as pd
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
    counts = ["nats", "tokens", "bytes", "chars"]
    assert list(curve.columns) == [
        *("run", "x", "adaptation_step", "first_step", "step", "reports", "dropped"),
        *(end + count for end in ("", "low_", "high_") for count in counts),
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


def scalar_points(values, name="lr"):
    return [Point(step, step, step, name, None, None, value) for step, value in enumerate(values, start=1)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.integers(1, 6000), st.sampled_from([30, 100, 500]))
def test_a_thinned_line_has_the_mean_of_every_bucket_its_ends_and_its_extremes(store, seed, length, points):
    run_id = f"{seed:012x}"
    values = np.random.default_rng(seed).normal(size=length)
    for table in ("metrics", "coarse", "coarse_ends"):
        store.metrics._database.execute(f"DELETE FROM {table} WHERE run = ?", [run_id])  # noqa: S608
    store.metrics.add(run_id, scalar_points(values))
    store.flush()
    curve = store.metrics.scalar_curve([run_id], "lr", points=points)
    assert 1 <= len(curve) <= points + 3
    assert curve["reports"].sum() == length
    first = np.concatenate([[1], curve["step"].to_numpy()[:-1] + 1])  # buckets follow each other
    for begin, end, mean, low, high in zip(
        first, *(curve[name] for name in ("step", "value", "low", "high")), strict=True
    ):
        own = values[begin - 1 : end]
        assert mean == pytest.approx(own.mean())
        assert (low, high) == (own.min(), own.max())
    assert curve["value"].iloc[0] == values[0]
    assert curve["value"].iloc[-1] == values[-1]
    if length <= points:
        assert curve["value"].tolist() == values.tolist()


def test_buckets_that_are_full_stay_what_they_are_while_points_arrive(store, run):
    values = np.random.default_rng(1).normal(size=5000)
    store.metrics.add(run.id, scalar_points(values)[:4500])
    store.flush()
    before = store.metrics.scalar_curve([run.id], "lr", points=100)
    store.metrics.add(run.id, scalar_points(values)[4500:])
    store.flush()
    after = store.metrics.scalar_curve([run.id], "lr", points=100)
    full = len(before) - 2  # the last bucket and the last report are on the move
    kept = ["step", "value", "low", "high"]
    assert np.allclose(before[kept].iloc[:full], after[kept].iloc[:full], rtol=1e-12)
    assert len(after) > len(before)


def test_coarse_levels_change_no_number(store, run, another_run):
    """One run gets its points a few at a time, so that its levels are extended; the other has none."""
    rng = np.random.default_rng(2)
    points = []
    for step in range(1, 9001):
        values = {"nats": rng.uniform(1, 9), "tokens": 3, "bytes": 4, "chars": 2}
        points += [Point(step, 9 * step, step / 7, f"query_{n}", "u", 0, v) for n, v in values.items()]
    for begin in range(0, len(points), 11_000):
        store.metrics.add(run.id, points[begin : begin + 11_000])
        store.flush()
        store.metrics.curve([run.id], "query")
    levels = store.metrics._database.rows(
        "SELECT DISTINCT level FROM coarse WHERE run = ? ORDER BY 1", [run.id]
    )
    assert levels == [(16,), (128,), (1024,)]
    store.metrics.add(another_run.id, points)
    store.flush()
    store.metrics._database.execute(
        "INSERT INTO coarse_ends VALUES (?, 'query_nats', 9000)", [another_run.id]
    )  # so that nobody builds them
    store.metrics._database.execute("UPDATE coarse_ends SET end_step = 0 WHERE run = ?", [another_run.id])
    with_levels = store.metrics.curve([run.id], "query", points=100)
    tasks = store.metrics.task_curve([another_run.id], "query", points=100)  # of one task, and without levels
    assert 50 <= len(with_levels) <= 103
    names = ["step", "x", "reports", "nats", "tokens", "low_nats", "high_nats"]
    assert np.allclose(with_levels[names].to_numpy(float), tasks[names].to_numpy(float))


def test_a_run_that_resumes_forgets_the_levels_past_its_checkpoint(store, run):
    values = np.random.default_rng(3).normal(size=5000)
    store.metrics.add(run.id, scalar_points(values))
    store.flush()
    store.metrics.scalar_curve([run.id], "lr", points=50)
    store.runs.start(run.id, device="cpu", pid=1, boot_id="b", step=3000, owes_validation=False)
    again = -values
    store.metrics.add(run.id, scalar_points(again)[3000:])
    store.flush()
    curve = store.metrics.scalar_curve([run.id], "lr", points=50)
    told = np.concatenate([values[:3000], again[3000:]])
    assert curve["reports"].sum() == 5000
    assert (curve["value"] * curve["reports"]).sum() == pytest.approx(told.sum())
    store.metrics._database.execute("UPDATE runs SET status = 'stopped'")
    store.runs.delete(run.id)
    for table in ("coarse", "coarse_ends"):
        assert store.metrics._database.rows(f"SELECT * FROM {table}") == []  # noqa: S608


def test_within_a_range_the_points_are_as_fine_as_there_are_reports(store, run):
    values = np.random.default_rng(4).normal(size=6000)
    store.metrics.add(run.id, scalar_points(values))
    store.flush()
    whole = store.metrics.scalar_curve([run.id], "lr", points=200)
    curve = store.metrics.scalar_curve([run.id], "lr", points=200, within=(3000, 3050))
    inside = curve[curve["x"].between(3000, 3050)]
    assert inside["step"].tolist() == list(range(3000, 3051))
    assert inside["value"].tolist() == values[2999:3050].tolist()
    assert curve["reports"].sum() == 6000
    assert curve["step"].is_monotonic_increasing
    outside = whole[~whole["x"].between(2900, 3200)]
    assert set(outside["step"]) <= set(curve["step"])
    beyond = store.metrics.scalar_curve([run.id], "lr", points=200, within=(9000, 9999))
    # The first reading had coarse levels made for those after it: a mean of means is rounded twice.
    pd.testing.assert_frame_equal(beyond, whole, rtol=1e-12)


def test_a_zoom_reads_the_whole_curve_again_only_when_something_was_written(store, run, monkeypatch):
    read, spans = store.metrics._lines.read, []
    monkeypatch.setattr(store.metrics._lines, "read", lambda *asked: spans.append(asked[3:]) or read(*asked))

    def zoom(begin):
        curve = store.metrics.scalar_curve([run.id], "lr", points=50, within=(begin, begin + 20))
        wholes = spans.count(())
        spans.clear()
        return curve, wholes

    store.metrics.add(run.id, scalar_points(np.arange(900.0)))
    store.flush()
    first, wholes = zoom(100)
    assert wholes == 1
    first["value"] = 0.0  # whoever gets a curve may write into it
    again, wholes = zoom(100)
    assert wholes == 0
    assert again["value"].sum() > 0
    store.metrics.add(run.id, scalar_points(np.arange(950.0))[900:])
    store.flush()
    longer, wholes = zoom(100)
    assert wholes == 1
    assert longer["reports"].sum() == 950
    store.runs.start(run.id, device="cpu", pid=1, boot_id="b", step=500, owes_validation=False)
    assert zoom(100)[0]["reports"].sum() == 500
    store.metrics._database.execute("UPDATE runs SET status = 'stopped'")
    store.runs.delete(run.id)
    assert zoom(100)[0].empty


def test_any_scalar_is_an_axis_and_reports_between_its_values_are_put_between(store, run, loss_points):
    for step in (1, 2, 3):
        store.metrics.add(run.id, loss_points(step, float(step)))
    store.metrics.add(run.id, [Point(step, 0, 0.0, "norm", None, None, 10.0 * step) for step in (1, 3)])
    store.flush()
    assert store.metrics.curve([run.id], "query", x="norm")["x"].tolist() == [10, 20, 30]


def test_reports_have_every_number_also_those_that_are_none(store, run, loss_points):
    for step in range(1, 701):
        store.metrics.add(run.id, loss_points(step, math.nan if step == 9 else float(step)))
    store.flush()
    every = store.metrics.reports([run.id], "query").to_pandas()
    assert every["step"].tolist() == list(range(1, 701))
    assert every["nats"].isna().sum() == 1
    by_task = store.metrics.reports([run.id], "query", task_id="t").to_pandas()
    assert by_task["task_id"].unique().tolist() == ["t"]
    some = store.metrics.reports([run.id], "query", within=(100, 200)).to_pandas()
    assert set(range(100, 201)) <= set(some["step"])
    assert len(some) < 120
    lost = store.metrics.not_finite([run.id], ["query_nats"])
    assert lost[["task_id", "step"]].values.tolist() == [["t", 9]]


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


def test_the_scalars_of_long_runs_are_found_whenever_they_begin(store, run, another_run):
    for step in range(500, 20_001, 500):
        store.metrics.add(run.id, [Point(step, 0, 0.0, "lr", None, None, 0.1)])
    late = [Point(20_000, 0, 0.0, name, None, None, 1.0) for name in ("late", "drift/weight")]
    store.metrics.add(run.id, [*late, Point(20_000, 0, 0.0, "of a task", "t", None, 1.0)])
    store.metrics.add(another_run.id, [Point(1, 0, 0.0, "early", None, None, 1.0)])
    store.runs.progress(run.id, step=20_000, tokens=0, seconds=0.0, progress=1.0)
    store.runs.progress(another_run.id, step=1, tokens=0, seconds=0.0, progress=1.0)
    store.flush()
    assert store.metrics.scalars([run.id]) == ["late", "lr"]
    assert store.metrics.scalars([run.id, another_run.id]) == ["early", "late", "lr"]
    assert store.metrics.scalars([another_run.id]) == ["early"]
    assert store.metrics.scalars([]) == []


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
    assert list(curve.columns) == [
        *("run", "weight", "x", "adaptation_step", "first_step", "step", "reports", "dropped"),
        *("value", "low", "high"),
    ]
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
