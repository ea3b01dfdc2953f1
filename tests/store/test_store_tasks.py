"""Readings that keep tasks apart: what comes out is what the rows add up to."""

import pytest

from metalm.store.metrics import Point


def points(costs, *, part="validation", bytes_=100):
    """Points of (step, task, adaptation step) -> nats, each over as many bytes."""
    return [
        Point(step, 0, 0.0, f"{part}_{name}", task, adaptation, value)
        for (step, task, adaptation), nats in costs.items()
        for name, value in (("nats", nats), ("bytes", bytes_), ("tokens", bytes_), ("chars", bytes_))
    ]


def test_a_spread_has_the_quantiles_of_tasks_after_the_last_adaptation_step(store, run):
    costs = {(10, f"t{i}", 5): 100.0 * i for i in range(1, 12)}
    before = {(10, f"t{i}", 0): 5000.0 for i in range(1, 12)}
    store.metrics.add(run.id, points(costs | before))
    store.flush()
    [line] = store.task_metrics.spread([run.id]).to_dict("records")
    assert (line["step"], line["tasks"]) == (10, 11)
    quantiles = [line[name] for name in ("lowest", "low", "median", "high", "highest")]
    assert quantiles == pytest.approx([1.0, 2.0, 6.0, 10.0, 11.0])


def test_a_long_spread_is_thinned_and_keeps_its_last_step(store, run):
    store.metrics.add(run.id, points({(step, "t", 1): 100.0 for step in range(40)}))
    store.flush()
    found = store.task_metrics.spread([run.id], points=8)
    assert len(found) == 8
    assert found["step"].max() == 39


def test_a_task_over_training_is_that_task_alone(store, run):
    costs = {(step, task, 2): 50.0 * step for step in (1, 2) for task in ("mine", "other")}
    store.metrics.add(run.id, points(costs))
    store.flush()
    found = store.task_metrics.of_task([run.id], "mine")
    assert found[["step", "nats", "bytes"]].to_numpy().tolist() == [[1, 50.0, 100], [2, 100.0, 100]]


def test_a_grid_adds_up_ranges_of_outer_steps_and_leaves_out_parts_of_one_adaptation_step(store, run):
    costs = {(step, "t", adaptation): 10.0 for step in range(8) for adaptation in (0, 1, 2)}
    store.metrics.add(run.id, points(costs, part="support"))
    store.metrics.add(run.id, points({(1, "t", 2): 1.0}, part="query"))
    store.flush()
    grid = store.task_metrics.grid(run.id, columns=4)
    assert set(grid["part"]) == {"support"}
    assert grid["nats"].sum() == pytest.approx(240.0)
    assert sorted(set(zip(grid["first"], grid["last"], strict=True))) == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert set(grid["adaptation_step"]) == {0, 1, 2}


@pytest.mark.usefixtures("run")
def test_every_result_on_a_task_is_pooled_over_draws_and_of_the_newest_checkpoint(store, evaluation):
    rows = [
        evaluation(checkpoint_step=3, nats=99.0),
        evaluation(checkpoint_step=5, nats=1.0, draw=0),
        evaluation(checkpoint_step=5, nats=2.0, draw=1),
        evaluation(run_id=None, checkpoint_step=None, method="uniform", nats=8.0),
        evaluation(task_id="elsewhere", nats=7.0),
    ]
    store.evaluations.add(rows)
    store.flush()
    found = store.task_results.of_task("s" * 16, rows[0]["task_id"])
    assert dict(zip(found["method"], found["nats"], strict=True)) == {"adapt": 3.0, "uniform": 8.0}
    assert found["scores"].tolist() == [2, 1]


def test_all_runs_of_a_split_come_with_the_places_of_their_tasks(store, run, split, evaluation):
    store.splits.add(split)
    [task] = split.of_role("meta-test")
    place = {"split_id": split.id, "role": "meta-test", "task_id": task.id}
    store.evaluations.add([evaluation(**place, adaptation_step=step, nats=9.0 - step) for step in (0, 3)])
    store.flush()
    size = evaluation()["support_bytes"]
    [row] = store.task_results.by_run(split.id, "meta-test", size).to_dict("records")
    assert row["run"] == run.name
    assert list(row["nats"]) == [6.0]
    assert [split.tasks[position].task.id for position in row["positions"]] == [task.id]
    [found] = store.task_results.places(split.id).to_dict("records")
    assert found == {"role": "meta-test", "support_bytes": size, "runs": 1, "tasks": 1}
    assert len(store.task_results.by_run(split.id, "meta-validation", size)) == 0


@pytest.mark.usefixtures("run")
def test_what_a_run_has_seen_is_not_among_its_results(store, split, evaluation):
    store.splits.add(split)
    [task] = split.of_role("meta-test")
    store.evaluations.add([evaluation(split_id=split.id, role="meta-test", task_id=task.id, seen=True)])
    store.flush()
    assert store.task_results.by_run(split.id, "meta-test", evaluation()["support_bytes"]).empty


def test_each_evaluated_checkpoint_is_told_apart(store, run, evaluation):
    store.evaluations.add([evaluation(checkpoint_step=step, nats=float(step)) for step in (4, 8)])
    store.flush()
    one = evaluation()
    found = store.task_results.checkpoints(run.id, "s" * 16, one["role"], one["support_bytes"])
    assert dict(zip(found["step"], found["nats"], strict=True)) == {4: 4.0, 8: 8.0}
    store.evaluations.add([evaluation(checkpoint_step=8, nats=99.0, task_id="judged at one of them")])
    store.flush()
    again = store.task_results.checkpoints(run.id, "s" * 16, one["role"], one["support_bytes"])
    assert again.equals(found)


@pytest.mark.usefixtures("run")
def test_the_version_changes_with_every_result(store, evaluation):
    before = store.task_results.version()
    store.evaluations.add([evaluation()])
    store.flush()
    assert store.task_results.version() != before


def test_results_of_a_run_in_the_bin_are_nowhere_until_it_comes_back(store, run, split, evaluation):
    store.splits.add(split)
    [task] = split.of_role("meta-test")
    place = {"split_id": split.id, "role": "meta-test", "task_id": task.id}
    store.evaluations.add([evaluation(**place), evaluation(**place, run_id=None, method="uniform")])
    store.flush()
    size, results = evaluation()["support_bytes"], store.task_results
    store.runs.set_status(run.id, "finished", expected=["queued"])
    store.bin.add([run.id])
    assert results.places(split.id).empty
    assert results.by_run(split.id, "meta-test", size).empty
    assert results.of_task(split.id, task.id)["method"].tolist() == ["uniform"]
    store.bin.restore([run.id])
    assert results.by_run(split.id, "meta-test", size)["run"].tolist() == [run.name]
    assert set(results.of_task(split.id, task.id)["method"]) == {"adapt", "uniform"}


@pytest.mark.parametrize(
    "change",
    [
        lambda store, run: store.runs.rename(run.id, "another name"),
        lambda store, run: store.bin.add([run.id]),
    ],
)
def test_the_version_changes_with_the_runs_that_results_are_about(store, run, evaluation, change):
    store.runs.set_status(run.id, "finished", expected=["queued"])
    store.evaluations.add([evaluation()])
    store.flush()
    before = store.task_results.version()
    change(store, run)
    assert store.task_results.version() != before
