import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.errors import SplitError
from metalm.evaluate import statistics

BITS = math.log(2)


def row(series="a", task="t1", size=2048, step=0, bits=2.0, **others):
    """One row of `evaluations`: 1000 bytes, 800 characters, scored at `bits` per byte."""
    values = {
        "split_id": "s",
        "role": "meta-test",
        "track": "static",
        "draw": 0,
        "seed": 0,
        "tokens": 1000,
        "bytes": 1000,
    }
    values |= {
        "run_id": series,
        "method": "adapt",
        "adaptation": "{}",
        "checkpoint_step": 9,
        "chars": 800,
        "seen": False,
        "nats": bits * 1000 * BITS,
    }
    values |= {"series": series, "task_id": task, "support_bytes": size, "adaptation_step": step}
    return values | others


def frame(*rows):
    return pd.DataFrame(rows)


def test_a_task_counts_once_whatever_its_seeds_and_draws():
    rows = frame(row(bits=1.0), row(bits=2.0, draw=1), row(bits=3.0, seed=1), row(task="t2", bits=6.0))
    tasks = statistics.by_task(rows)
    assert tasks["value"].tolist() == pytest.approx([2.0, 6.0])
    assert tasks["scores"].tolist() == [3, 1]
    assert statistics.summary(tasks)["mean"].item() == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("bits per byte", 2.0),
        ("bits per character", 2.5),
        ("nats per token", 2.0 * BITS),
        ("perplexity", 4.0),
    ],
)
def test_every_unit_is_derived_from_the_same_nats(unit, value):
    assert statistics.by_task(frame(row()), unit=unit)["value"].item() == pytest.approx(value)


@pytest.mark.parametrize("change", [{"checkpoint_step": 20}, {"adaptation": '{"lr": 1.0}'}])
def test_of_a_run_evaluated_twice_only_the_newest_rows_count(change):
    rows = frame(row(bits=9.0), row(task="t2"), row("b", bits=3.0), row(bits=1.0, **change))
    tasks = statistics.by_task(rows)
    assert tasks["task_id"].tolist() == ["t1", "t1"]
    assert tasks["value"].tolist() == pytest.approx([1.0, 3.0])
    assert statistics.left_out(rows).empty


def test_a_baseline_without_run_and_checkpoint_counts_like_any_series():
    none = {"run_id": None, "checkpoint_step": None, "method": "uniform", "adaptation": {}}
    baselines = [row("uniform", t, bits=8.0, **none) for t in ("t1", "t2")]
    for rows in (frame(*baselines), frame(*baselines, row(), row(task="t2"))):
        tasks = statistics.by_task(rows)
        assert tasks.loc[tasks["series"] == "uniform", "value"].tolist() == pytest.approx([8.0, 8.0])
        assert len(tasks) == len(rows)


def test_seen_tasks_stay_out_for_every_seed_of_a_series():
    rows = frame(row(seen=True), row(seed=1), row(task="t2"), row("b", "t1"))
    tasks = statistics.by_task(rows)
    assert set(zip(tasks["series"], tasks["task_id"], strict=True)) == {("a", "t2"), ("b", "t1")}


@pytest.mark.parametrize(
    ("column", "other"), [("split_id", "s2"), ("role", "meta-train"), ("track", "online")]
)
def test_rows_of_two_splits_roles_or_tracks_are_never_put_together(column, other):
    with pytest.raises(SplitError, match=f"rows that are compared must be of one .*, got .*{other}"):
        statistics.by_task(frame(row(), row(task="t2", **{column: other})))


def test_last_step_is_the_one_reached_and_zero_without_support():
    rows = frame(row(size=0), row(), row(step=5, bits=1.0), row(task="t2"), row(task="t2", step=2))
    last = statistics.at_last_step(statistics.by_task(rows))
    found = list(zip(last["task_id"], last["support_bytes"], last["adaptation_step"], strict=True))
    assert found == [("t1", 0, 0), ("t1", 2048, 5)]


@settings(deadline=None, max_examples=50)
@given(st.sets(st.tuples(st.sampled_from("ab"), st.sampled_from("tuvw"), st.sampled_from([0, 512, 2048]))))
def test_balanced_tasks_have_a_value_in_every_cell(present):
    if not present:
        return
    tasks = statistics.by_task(frame(*[row(s, t, n) for s, t, n in present]))
    cells = {(s, n) for s, _, n in present}
    expected = {t for t in "tuvw" if all((s, t, n) in present for s, n in cells)}
    assert set(statistics.balanced(tasks)["task_id"]) == expected
    table = statistics.summary(statistics.balanced(tasks))
    assert set(table["tasks"]) == ({len(expected)} if expected else set())


def test_interval_is_the_same_for_the_same_seed():
    values = np.random.default_rng(0).normal(size=12)
    assert statistics.interval(values, seed=3) == statistics.interval(values, seed=3)
    assert statistics.interval(values, seed=3) != statistics.interval(values, seed=4)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    draws = [statistics.interval(rng.normal(2.0, 0.5, size=20), seed=i, resamples=500) for i in range(400)]
    covered = np.mean([low <= 2.0 <= high for low, high in draws])
    assert 0.88 <= covered <= 0.98  # percentile intervals of 20 values are a little narrow


def test_interval_contains_the_mean_and_grows_with_the_spread():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    low, high = statistics.interval(values)
    assert low < values.mean() < high
    wide_low, wide_high = statistics.interval(values * 2)
    assert wide_high - wide_low == pytest.approx(2 * (high - low))


def test_a_single_task_has_no_interval():
    line = statistics.summary(statistics.by_task(frame(row()))).iloc[0]
    assert line["mean"] == line["median"] == pytest.approx(2.0)
    assert math.isnan(line["low"])
    assert math.isnan(line["high"])


def test_paired_difference_counts_wins_ties_and_losses_on_common_tasks():
    left = [row("a", t, bits=b) for t, b in zip("tuvw", (2.0, 2.0, 2.0, 2.0), strict=True)]
    right = [row("b", t, bits=b) for t, b in zip("tuvx", (1.0, 2.0, 2.5, 9.0), strict=True)]
    (found,) = statistics.paired(statistics.by_task(frame(*left, *right)), "a", "b")
    assert (found.tasks, found.wins, found.ties, found.losses) == (3, 1, 1, 1)
    assert found.mean == pytest.approx(-0.5 / 3)
    assert found.median == pytest.approx(0.0)
    assert found.relative == pytest.approx(-0.5 / 6)
    assert found.low < found.mean < found.high


def test_paired_difference_turns_its_sign_with_its_sides():
    rows = frame(*[row("a", t, bits=i) for i, t in enumerate("tuv", 1)], *[row("b", t) for t in "tuv"])
    tasks = statistics.by_task(rows)
    (forth,) = statistics.paired(tasks, "a", "b")
    (back,) = statistics.paired(tasks, "b", "a")
    assert forth.mean == pytest.approx(-back.mean)
    assert (forth.wins, forth.losses) == (back.losses, back.wins)
    (same,) = statistics.paired(tasks, "a", "a")
    assert (same.mean, same.low, same.high, same.ties) == (0, 0, 0, 3)


def test_paired_difference_leaves_out_a_task_that_either_side_has_seen():
    rows = frame(row("a"), row("a", "t2"), row("b", seen=True), row("b", "t2"))
    (found,) = statistics.paired(statistics.by_task(rows), "a", "b")
    assert found.tasks == 1


def test_paired_difference_with_a_series_that_has_no_rows_is_empty():
    assert statistics.paired(statistics.by_task(frame(row())), "a", "b") == []


def test_a_task_on_which_weights_diverged_costs_infinitely_much_and_is_a_loss():
    left = [row("a", "t"), row("a", "u", bits=math.inf), row("a", "v")]
    right = [row("b", "t", bits=math.inf), row("b", "u", bits=math.inf), row("b", "v", bits=1.0)]
    tasks = statistics.by_task(frame(*left, *right))
    assert statistics.summary(tasks)["mean"].tolist() == [math.inf, math.inf]
    (found,) = statistics.paired(tasks, "a", "b")
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)
    assert math.isnan(found.low)


def test_no_rows_give_empty_tables():
    nothing = frame(row()).iloc[:0]
    tasks = statistics.by_task(nothing)
    assert tasks.empty
    assert statistics.summary(statistics.balanced(statistics.at_last_step(tasks))).empty
    assert statistics.paired(tasks, "a", "b") == []
    assert statistics.left_out(nothing).empty


def test_near_and_far_tasks_are_summarised_apart():
    tasks = statistics.by_task(
        frame(row(task="n1", bits=1.0), row(task="n2", bits=3.0), row(task="f", bits=5.0))
    )
    table = statistics.near_far(tasks, {"n1": True, "n2": True, "f": False, "other": None})
    assert dict(zip(table["distance"], table["mean"], strict=True)) == pytest.approx(
        {"near": 2.0, "far": 5.0}
    )
    assert statistics.near_far(tasks, {}).empty


def test_what_is_left_out_is_named_with_its_reason():
    rows = frame(row(), row(size=0), row(task="t2", size=0), row(task="t3", seen=True))
    table = statistics.left_out(rows)
    assert table.values.tolist() == [
        ["a", "t2", "no score at 2048 bytes"],
        ["a", "t3", "seen in training"],
    ]
