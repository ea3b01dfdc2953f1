import math
from statistics import fmean, stdev

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


def steps_of(run, ends, bits, **others):
    """Rows of a run that is tuned to take `ends` steps: {step: bits per byte}."""
    told = {"run_id": run, "adaptation": f'{{"steps": {ends}}}', **others}
    return [row(step=step, bits=value, **told) for step, value in bits.items()]


def test_a_seed_that_takes_fewer_steps_counts_after_them_as_it_stands():
    rows = frame(
        *steps_of("one", 2, {0: 4.0, 1: 3.0, 2: 2.0}),
        *steps_of("two", 5, {0: 6.0, 1: 5.0, 3: 4.0, 5: 1.0}, seed=1),
    )
    tasks = statistics.by_task(rows)
    # Step 2 goes: the other seed was not judged there. After 3 and 5 the first stands at its step 2.
    assert dict(zip(tasks["adaptation_step"], tasks["value"], strict=True)) == pytest.approx(
        {0: 5.0, 1: 4.0, 3: 3.0, 5: 1.5}
    )
    assert set(tasks["scores"]) == {2}
    assert statistics.at_last_step(tasks)["value"].item() == pytest.approx(1.5)
    assert statistics.before_after(tasks)["saved"].item() == pytest.approx(3.5)


def test_each_support_size_has_its_own_last_step():
    told = '{"steps": 2, "lengths": {"512": 1, "2048": 2}}'
    rows = frame(
        *(row(size=512, step=s, bits=b, adaptation=told) for s, b in {0: 4.0, 1: 3.0}.items()),
        *(row(size=2048, step=s, bits=b, adaptation=told) for s, b in {0: 4.0, 2: 2.0}.items()),
        *steps_of("x", 2, {0: 4.0, 2: 2.0}, seed=1, support_bytes=512),
    )
    last = statistics.at_last_step(statistics.by_task(rows))
    assert last["support_bytes"].tolist() == [512, 2048]
    assert last["value"].tolist() == pytest.approx([2.5, 2.0])


def test_a_seed_whose_evaluation_was_interrupted_is_not_taken_for_finished():
    rows = frame(
        *steps_of("one", 3, {0: 4.0, 3: 2.0}),
        *steps_of("two", 5, {0: 6.0}, seed=1),  # it was to go on to step 5
    )
    last = statistics.at_last_step(statistics.by_task(rows))
    assert last["value"].item() == pytest.approx(2.0)
    assert last["scores"].item() == 1


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


@settings(max_examples=50)
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


# What two series cost on the same tasks, in bits per byte; far from nan and from each other's rounding.
pairs = st.lists(st.tuples(st.floats(0.5, 9.0), st.floats(0.5, 9.0)), min_size=2, max_size=12)


def series(name, values):
    return [row(name, f"t{i}", bits=value) for i, value in enumerate(values)]


@settings(max_examples=50)
@given(pairs)
def test_effect_size_is_the_mean_over_the_standard_deviation_of_the_differences(costs):
    left, right = zip(*costs, strict=True)
    tasks = statistics.by_task(frame(*series("a", left), *series("b", right)))
    (found,) = statistics.paired(tasks, "a", "b", resamples=10)
    changes = [after - before for before, after in costs]
    spread = stdev(changes)
    if spread > 1e-5:
        assert found.effect_size == pytest.approx(fmean(changes) / spread, rel=1e-4, abs=1e-6)
        (back,) = statistics.paired(tasks, "b", "a", resamples=10)
        assert back.effect_size == pytest.approx(-found.effect_size)
    elif spread < 1e-7:
        assert math.isnan(found.effect_size)


@pytest.mark.parametrize(
    "changes", [(-0.5,), (0.0, 0.0, 0.0), (-0.1, -0.1, -0.1), (-0.1, -0.2, math.inf), (1.0, -math.inf)]
)
def test_without_a_spread_between_tasks_there_is_no_effect_size(changes):
    left, right = ([2.0 - min(0.0, c) for c in changes], [2.0 + max(0.0, c) for c in changes])
    tasks = statistics.by_task(frame(*series("a", left), *series("b", right)))
    (found,) = statistics.paired(tasks, "a", "b")
    assert math.isnan(found.effect_size)


def test_effect_size_of_known_differences():
    tasks = statistics.by_task(frame(*series("a", (4.0, 4.0, 4.0)), *series("b", (3.0, 2.0, 1.0))))
    (found,) = statistics.paired(tasks, "a", "b")
    assert found.effect_size == pytest.approx(-2.0)  # differences -1, -2, -3: mean -2, deviation 1


def test_adaptation_hurts_where_the_last_step_costs_more_than_none_did():
    rows = [
        *(row("a", "t", step=step, bits=bits) for step, bits in ((0, 2.0), (1, 1.5), (2, 2.25))),
        *(row("a", "u", step=step, bits=bits) for step, bits in ((0, 2.0), (1, 9.0), (2, 1.0))),
        *(row("a", "v", step=step, bits=bits) for step, bits in ((0, 2.0), (1, 2.0), (2, 2.0 + 1e-7))),
        *(row("b", "t", 512, step=step, bits=bits) for step, bits in ((0, 3.0), (4, 4.0))),
        row("a", "t", 0, bits=1.0),  # another support size is another before
        row("unigram", "t", bits=5.0),  # does not adapt
    ]
    found = statistics.hurt(statistics.by_task(frame(*rows)))
    assert found[["series", "task_id", "support_bytes"]].values.tolist() == [
        ["b", "t", 512],
        ["a", "t", 2048],
    ]
    assert found["before"].tolist() == pytest.approx([3.0, 2.0])
    assert found["after"].tolist() == pytest.approx([4.0, 2.25])
    assert found["lost"].tolist() == pytest.approx([1.0, 0.25])


def test_adaptation_that_diverged_hurts_infinitely_and_a_task_not_brought_so_far_is_not_judged():
    rows = [row("a", t, step=step) for t in "tu" for step in (0, 1)]
    rows += [row("a", t, step=5, bits=bits) for t, bits in (("t", math.inf), ("v", 9.0))]
    found = statistics.hurt(statistics.by_task(frame(*rows)))
    assert found[["task_id", "lost"]].values.tolist() == [["t", math.inf]]


@settings(max_examples=50)
@given(pairs)
def test_adaptation_hurts_exactly_where_it_saves_less_than_nothing(costs):
    rows = [row("a", f"t{i}", step=step, bits=pair[step]) for i, pair in enumerate(costs) for step in (0, 1)]
    tasks = statistics.by_task(frame(*rows))
    expected = {f"t{i}" for i, (before, after) in enumerate(costs) if after - before > 1e-6 + 1e-12}
    doubtful = {f"t{i}" for i, (before, after) in enumerate(costs) if abs(after - before - 1e-6) <= 1e-12}
    assert set(statistics.hurt(tasks)["task_id"]) - doubtful == expected
    assert statistics.before_after(tasks)["saved"].tolist() == pytest.approx(
        [before - after for before, after in _by_name(costs)]
    )


def _by_name(costs):
    return [pair for _, pair in sorted((f"t{i}", pair) for i, pair in enumerate(costs))]


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
    assert statistics.before_after(tasks).empty
    assert statistics.hurt(tasks).empty
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
