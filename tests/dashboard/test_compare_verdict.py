"""The verdict in words: the best run is that of the table, its interval that of the paired differences."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compare_evidence import HERE, NAMES, rows
from test_task_charts import SPLIT

from metalm.dashboard import compare_evidence, compare_verdict
from metalm.evaluate import statistics

FIRST = {"a": 4.0, "b": 6.0, "c": 2.0}
SECOND = {"a": 2.0, "b": 8.0, "c": 1.0}


def gathered(*tables: pd.DataFrame):
    return compare_evidence.gather(pd.concat(tables, ignore_index=True), HERE, NAMES)


def test_near_and_far_tasks_have_verdicts_of_their_own():
    evidence = gathered(rows("r1", FIRST), rows("r2", SECOND))
    whole, near, far = compare_verdict.verdicts(evidence, "r1", 2048, SPLIT)
    assert [one.group for one in (whole, near, far)] == ["all tasks", "near", "far"]
    assert [one.best for one in (whole, near, far)] == ["r2", "r2", "r1"]
    assert [one.tasks for one in (whole, near, far)] == [3, 1, 1]
    assert whole.bits == pytest.approx((1.0 + 4.0 + 0.5) / 3)
    assert whole.pair == statistics.paired(evidence.tasks, "r1", "r2")[0]
    # The control is the best of the far tasks: then it is set against the next run.
    assert (far.pair.left, far.pair.right, far.pair.mean) == ("r2", "r1", pytest.approx(-1.0))
    assert [one.group for one in compare_verdict.verdicts(evidence, "r1", 2048, None)] == ["all tasks"]


def test_another_run_that_is_ahead_with_another_support_set_is_told():
    small = [rows("r1", {"a": 5.0, "b": 9.0, "c": 3.0}), rows("r2", {"a": 9.0, "b": 9.9, "c": 9.0})]
    evidence = gathered(
        rows("r1", FIRST), rows("r2", SECOND), *(each.assign(support_bytes=512) for each in small)
    )
    assert compare_verdict.others_ahead(evidence, 2048, SPLIT) == {
        "all tasks": {512: "r1"},
        "near": {512: "r1"},
    }
    assert compare_verdict.others_ahead(evidence, 512, None) == {"all tasks": {2048: "r2"}}
    alone = gathered(rows("r1", FIRST), rows("r2", SECOND), small[0].assign(support_bytes=512))
    assert compare_verdict.others_ahead(alone, 2048, SPLIT) == {}
    assert compare_verdict.others_ahead(evidence, 4096, SPLIT) == {}


def test_only_tasks_that_all_runs_have_count():
    evidence = gathered(rows("r1", FIRST), rows("r2", {"a": 2.0}))
    [whole, near] = compare_verdict.verdicts(evidence, "r1", 2048, SPLIT)
    assert (whole.tasks, near.tasks) == (1, 1)
    assert "on one task, which says little" in compare_verdict.words(whole, evidence)
    apart = gathered(rows("r1", {"b": 6.0}), rows("r2", {"a": 2.0}))
    assert compare_verdict.verdicts(apart, "r1", 2048, SPLIT) == ()


def test_a_baseline_that_needs_fewer_bits_is_told_and_never_called_the_best_run():
    evidence = gathered(
        rows("r1", FIRST),
        rows("r2", SECOND),
        rows(None, dict.fromkeys("abc", 0.1), method="n-gram"),
        rows(None, dict.fromkeys("abc", 8.0), method="uniform"),
        rows(None, {"a": 0.01}, method="unigram"),  # less, but not of all the tasks
    )
    whole, *_ = compare_verdict.verdicts(evidence, "uniform", 2048, SPLIT)
    assert whole.best == "r2"
    assert whole.pair.left == "uniform"
    assert compare_verdict.words(whole, evidence).endswith(". n-gram needs fewer still, 0.100.")


def test_one_run_alone_is_told_without_a_difference():
    evidence = gathered(rows("r1", FIRST))
    whole, *_ = compare_verdict.verdicts(evidence, "r1", 2048, SPLIT)
    assert compare_verdict.words(whole, evidence) == "first needs the fewest bits per byte, 2.000."


@pytest.mark.parametrize(
    ("gains", "sure"),
    [
        ([0.5, 0.4, 0.6, 0.5, 0.4, 0.6], "significant: it leaves zero out."),
        ([0.9, -0.8, 0.9, -0.8, 0.9, -0.8], "not significant: it holds zero."),
        ([0.5, 0.4, 0.6], "significant: it leaves zero out; with so few tasks that is rough."),
    ],
)
def test_words_say_whether_the_interval_holds_zero(gains, sure):
    first = {f"t{i}": 4.0 for i in range(len(gains))}
    second = {f"t{i}": 4.0 - gain for i, gain in enumerate(gains)}
    evidence = gathered(rows("r1", first), rows("r2", second))
    [whole] = compare_verdict.verdicts(evidence, "r1", 2048, None)
    told = compare_verdict.words(whole, evidence, lambda name: f"<{name}>")
    assert told.startswith("<second> needs the fewest bits per byte")
    assert f"against <first> over {len(gains)} tasks, 95 % interval " in told
    assert told.endswith(f"; {sure}")


@settings(max_examples=40)  # an interval is drawn each time
@given(st.lists(st.tuples(*[st.floats(0.5, 8)] * 3), min_size=1, max_size=6))
def test_nobody_has_a_lower_mean_than_the_best(scores):
    names = {f"r{i}": f"run {i}" for i in range(3)}
    tables = [
        rows(run, {f"t{n}": values[i] for n, values in enumerate(scores)}) for i, run in enumerate(names)
    ]
    evidence = compare_evidence.gather(pd.concat(tables, ignore_index=True), HERE, names)
    [whole] = compare_verdict.verdicts(evidence, "r0", 2048, None)
    means = statistics.at_last_step(evidence.tasks).groupby("series")["value"].mean()
    assert whole.bits == pytest.approx(means.min())
    assert whole.pair.mean <= 1e-9
