"""What curves are drawn from: every NaN is found with its task, baselines fit, files leave no report out."""

import io
import math
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pyarrow.parquet as parquet
import pytest

from metalm.dashboard import curve_data
from metalm.store.metrics import COUNTS, Point
from metalm.store.runs import Run
from metalm.store.store import Store

RUN = Run(
    id="a" * 12,
    name="first",
    status="finished",
    algorithm="fomaml",
    split_id="s" * 16,
    seed=3,
    config={"validation": {"support_bytes": 600}},
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.fixture
def metrics(tmp_path):
    """1,200 reports of two tasks; step 7 of task `u` is not a number."""
    store = Store(tmp_path / "metalm.duckdb")
    points = []
    for step in range(1, 1201):
        for task in "uv":
            nats = math.nan if (task, step) == ("u", 7) else float(step)
            sums = zip(COUNTS, (nats, 3.0, 4.0, 2.0), strict=True)
            points += [Point(step, 10 * step, step / 2, f"query_{n}", task, 0, v) for n, v in sums]
    store.metrics.add(RUN.id, points)
    store.flush()
    yield store.metrics
    store.close()


def test_every_number_that_is_none_is_found_with_its_task_and_place(metrics):
    curve = curve_data.gather(metrics, [RUN.id], ["query"], "tokens")
    [row] = curve_data.lost(metrics, curve, {"u": "Ukrainian"}).to_dict("records")
    assert (row["task"], row["step"], row["part"]) == ("Ukrainian", 7, "query")
    assert math.isnan(row["value"])
    assert 40 <= row["x"] <= 100
    alone = curve_data.gather(metrics, [RUN.id], ["query"], "tokens", task_id="v")
    assert curve_data.lost(metrics, alone, {}).empty


def test_it_is_told_how_many_reports_the_points_stand_for(metrics):
    curve = curve_data.gather(metrics, [RUN.id], ["query"], "step")
    told = curve_data.told(curve)
    assert told.startswith(f"{len(curve)} points drawn for 1,199 reports")
    assert told.endswith("1 not a number, marked by crosses.")
    single = curve[curve["reports"] == 1].assign(dropped=0)
    assert curve_data.told(single) == f"{len(single)} of {len(single)} reports drawn, each a point."


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_has_every_report_also_where_fewer_points_are_drawn(metrics, kind):
    def read(**more):
        data = curve_data.exported(metrics, {RUN.id: "my, run"}, ["query"], kind, x="step", **more)
        return (pd.read_csv if kind == "csv" else parquet_frame)(io.BytesIO(data))

    whole = read()
    assert whole["step"].tolist() == list(range(1, 1201))
    assert set(whole["name"]) == {"my, run"}
    assert set(whole["part"]) == {"query"}
    assert whole["nats"].isna().sum() == 1
    assert read(task_id="v")["nats"].tolist() == list(range(1, 1201))
    some = read(within=(100, 200))
    assert set(range(100, 201)) <= set(some["step"])
    assert len(some) < 150


def parquet_frame(file):
    return parquet.read_table(file).to_pandas()


def evaluations(**changes):
    rows = [
        {
            "run_id": None,
            "checkpoint_step": None,
            "split_id": RUN.split_id,
            "role": "meta-validation",
            "task_id": task,
            "track": "static",
            "method": method,
            "adaptation": "{}",
            "support_bytes": support,
            "adaptation_step": 0,
            "seen": False,
            **{"nats": 10.0, "tokens": 1, "bytes": 2, "chars": 3},
            **changes,
        }
        for task in "uv"
        for method in ("unigram", "adapt")
        for support in (0, 512, 2048)
    ]
    return pd.DataFrame(rows)


def test_a_baseline_is_summed_over_tasks_at_the_nearest_support_size():
    [line] = curve_data.references(evaluations(), [RUN]).to_dict("records")
    assert line == {
        "series": "unigram", "support_bytes": 512, "nats": 20, "tokens": 2, "bytes": 4, "chars": 6,
    }  # fmt: skip
    [one] = curve_data.references(evaluations(), [RUN], "u").to_dict("records")
    assert one["nats"] == 10


@pytest.mark.parametrize(
    "changes", [{"role": "meta-test"}, {"split_id": "other"}, {"track": "online"}, {"seen": True}]
)
def test_what_does_not_compare_is_no_baseline(changes):
    assert curve_data.references(evaluations(**changes), [RUN]).empty


def test_runs_of_two_splits_have_no_common_baseline():
    assert curve_data.references(evaluations(), [RUN, replace(RUN, split_id="other")]).empty
