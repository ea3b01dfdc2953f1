"""Evidence of several runs: only what may be compared meets, and every sum is the tasks' own."""

import math
from statistics import fmean, median, stdev

import pandas as pd
import pytest

from metalm.dashboard import compare_evidence, compare_settings
from metalm.dashboard.compare_evidence import Place

HERE = Place("s1", "languages", "meta-validation")


def rows(run: str | None, bits: dict[str, float], *, method: str = "adapt", split: str = "s1", **fixed):
    """Evaluations of one contender: `bits` per byte of each task, half of it after one adaptation step."""
    lines = []
    for task, value in bits.items():
        for step in (0, 1) if method == "adapt" else (0,):
            nats = value / (1 + step) * math.log(2) * 100
            lines.append(
                {
                    "run_id": run,
                    "run": run and f"run {run}",
                    "split_id": split,
                    "split": {"s1": "languages", "s2": "domains"}[split],
                    "role": "meta-validation",
                    "task_id": task,
                    "task": task.upper(),
                    "near": task == "a",
                    "track": "static",
                    "method": method,
                    "checkpoint_step": 5,
                    "adaptation": "{}",
                    "support_bytes": 2048,
                    "draw": 0,
                    "adaptation_step": step,
                    "nats": nats,
                    "tokens": 100,
                    "bytes": 100,
                    "chars": 100,
                    "seen": False,
                    **fixed,
                }
            )
    return pd.DataFrame(lines)


NAMES = {"r1": "first", "r2": "second"}


def test_places_come_with_most_runs_first_and_only_those_of_the_chosen_runs():
    table = pd.concat(
        [
            rows("r1", {"a": 4.0}, split="s2"),
            rows("r1", {"a": 4.0}),
            rows("r2", {"a": 4.0}),
            rows("r9", {"a": 4.0}, role="meta-test"),
        ]
    )
    assert compare_evidence.places(table, ["r1", "r2"]) == [HERE, Place("s2", "domains", "meta-validation")]


def test_results_of_another_split_never_meet_and_the_run_is_named_as_missing():
    table = pd.concat([rows("r1", {"a": 4.0}), rows("r2", {"a": 2.0}, split="s2")])
    evidence = compare_evidence.gather(table, HERE, NAMES)
    assert set(evidence.tasks["series"]) == {"r1"}
    assert evidence.missing == ("r2",)


def test_before_and_after_are_the_first_and_the_last_step():
    evidence = compare_evidence.gather(rows("r1", {"a": 4.0, "b": 3.0}), HERE, NAMES)
    table = evidence.named(compare_evidence.before_after(evidence.tasks, 2048)).set_index("task")
    assert table.loc["A", ["before", "after", "saved"]].to_list() == pytest.approx([4.0, 2.0, 2.0])
    assert table.loc["B", "name"] == "first"
    assert bool(table.loc["A", "near"]) is True


def test_a_task_that_a_run_has_seen_is_left_out_and_said_so():
    table = pd.concat([rows("r1", {"a": 4.0}), rows("r1", {"b": 4.0}, seen=True)])
    evidence = compare_evidence.gather(table, HERE, NAMES)
    assert set(evidence.tasks["task_id"]) == {"a"}
    assert evidence.seen == 1


def test_the_latest_adaptation_of_a_run_counts_and_the_older_is_said_to_be_left_out():
    table = pd.concat(
        [rows("r1", {"a": 4.0}, adaptation='{"steps": 1}'), rows("r1", {"a": 2.0}, adaptation='{"steps": 9}')]
    )
    evidence = compare_evidence.gather(table, HERE, NAMES)
    assert evidence.superseded
    assert evidence.tasks["value"].max() == pytest.approx(2.0)


def test_tracks_never_meet():
    table = pd.concat(
        [
            rows("r1", {"a": 4.0}),
            rows("r1", {"a": 3.0}, method="dynamic evaluation", track="online"),
            rows(None, {"a": 2.0}, method="PPMd", track="online"),
            rows(None, {"a": 8.0}, method="uniform"),
        ]
    )
    online = Place("s1", "languages", "meta-validation", "online")
    assert compare_evidence.places(table, ["r1"]) == [HERE, online]
    assert str(online) == "languages · meta-validation · online track"
    assert [place.is_online for place in (HERE, online)] == [False, True]
    static, learning = (compare_evidence.gather(table, place, NAMES).tasks for place in (HERE, online))
    assert set(static["series"]) == {"r1", "uniform"}
    assert dict(zip(learning["series"], learning["value"], strict=True)) == pytest.approx(
        {"r1": 3.0, "PPMd": 2.0}
    )


def test_baselines_stand_beside_the_runs_in_grey():
    table = pd.concat([rows("r1", {"a": 4.0}), rows(None, {"a": 8.0}, method="uniform")])
    evidence = compare_evidence.gather(table, HERE, NAMES)
    assert set(evidence.tasks["series"]) == {"r1", "uniform"}
    assert evidence.styles["uniform"].colour != evidence.styles["r1"].colour
    by_size = compare_evidence.over_support(evidence.tasks).set_index("series")["mean"]
    assert by_size.to_dict() == pytest.approx({"r1": 2.0, "uniform": 8.0})


def test_means_are_over_the_tasks_that_all_runs_have():
    table = pd.concat([rows("r1", {"a": 4.0, "b": 100.0}), rows("r2", {"a": 2.0})])
    evidence = compare_evidence.gather(table, HERE, NAMES)
    by_step = compare_evidence.over_steps(evidence.tasks, 2048).set_index(["series", "adaptation_step"])
    assert by_step["mean"].to_dict() == pytest.approx(
        {("r1", 0): 4.0, ("r1", 1): 2.0, ("r2", 0): 2.0, ("r2", 1): 1.0}
    )


def test_differences_are_paired_task_by_task():
    table = pd.concat([rows("r1", {"a": 4.0, "b": 6.0}), rows("r2", {"a": 2.0, "b": 8.0})])
    found = compare_evidence.differences(compare_evidence.gather(table, HERE, NAMES), "r1").iloc[0]
    assert (found["name"], found["tasks"], found["better"], found["worse"]) == ("second", 2, 1, 1)
    assert found["difference"] == pytest.approx(0.0)


def test_differences_have_a_median_and_an_effect_size_beside_their_mean():
    costs = {"a": 4.0, "b": 4.0, "c": 4.0}
    table = pd.concat([rows("r1", costs), rows("r2", {"a": 2.0, "b": 0.0, "c": 3.0})])
    found = compare_evidence.differences(compare_evidence.gather(table, HERE, NAMES), "r1").iloc[0]
    changes = [(other - 4.0) / 2 for other in (2.0, 0.0, 3.0)]  # after the one step half of it is left
    assert found["difference"] == pytest.approx(fmean(changes))
    assert found["median"] == pytest.approx(median(changes))
    assert found["effect_size"] == pytest.approx(fmean(changes) / stdev(changes))


def test_scores_stand_side_by_side_with_the_hardest_task_first():
    table = pd.concat(
        [
            rows(None, {"a": 8.0, "b": 8.0}, method="uniform"),
            rows("r2", {"a": 2.0}),
            rows("r1", {"a": 4.0, "b": 6.0}),
        ]
    )
    found = compare_evidence.wide(compare_evidence.gather(table, HERE, NAMES), 2048)
    assert list(found) == ["first", "second", "uniform"]
    assert found["first"].to_dict() == pytest.approx({"B": 3.0, "A": 2.0})
    assert list(found.index) == ["B", "A"]
    assert math.isnan(found.loc["B", "second"])


def test_only_settings_that_differ_are_listed():
    facts = {
        "first": {"inner.lr": 0.5, "seed": 0, "model.hidden": 64},
        "second": {"inner.lr": 0.25, "seed": 0},
    }
    table = compare_settings.differing(facts)
    assert table.to_dict("index") == {
        "inner.lr": {"first": "0.5", "second": "0.25"},
        "model.hidden": {"first": "64", "second": "–"},
    }
    assert compare_settings.differing({"first": {"seed": 0}, "second": {"seed": 0}}).empty
