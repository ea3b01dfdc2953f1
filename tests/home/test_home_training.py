"""Training joined to the store: what is kept, and what a stop, a kill and a failure leave."""

import json
import os
import signal
import time
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from metalm.config import run_config
from metalm.errors import DivergedError, NotFoundError, RunStateError
from metalm.home import Home
from metalm.learn.reports import Report
from metalm.model.weight_files import load_weights, save_weights

TRAIN = """
import sys
from pathlib import Path
from homes import small_home, tiny_config, SPLIT
home = small_home(Path(sys.argv[1]) / "home", Path(sys.argv[1]) / "texts")
run = home.create_run(tiny_config(budget__amount="100000"), SPLIT, name="killed")
from metalm.home import training
training.CHECKPOINT_SECONDS = 0.3
def on_report(report):
    if report.step % 5 == 0:
        home.store.flush()
        print(report.step, flush=True)
home.train(run.id, on_report=on_report)
"""


def curves(home, run):
    """Every point of a run but what a clock says, which no two trainings share."""
    home.store.flush()
    table = home.store.metrics.table(run.id).drop_columns(["wall_seconds"])
    is_timed = pc.is_in(table["name"], pa.array(["tokens_per_second", "seconds_per_step", "clock_seconds"]))
    return table.filter(pc.invert(is_timed))


def test_a_training_leaves_points_weights_and_a_tuned_adaptation(home, new_run):
    reports = []
    run = home.train(new_run(4).id, on_report=reports.append)
    assert (run.status, run.step, run.progress) == ("finished", 4, 1.0)
    assert [report.step for report in reports] == [0, 1, 2, 3, 4]
    assert run.tokens == reports[-1].tokens
    assert run.adaptation["inner"]["steps"] >= 0
    home.store.flush()
    points = home.store.metrics.table(run.id).to_pandas()
    for report in reports:
        for loss in report.losses:
            rows = points[
                (points["step"] == report.step)
                & (points["task_id"] == loss.task_id)
                & (points["adaptation_step"] == loss.adaptation_step)
            ].set_index("name")["value"]
            kept = {name: rows[f"{loss.part}_{name}"] for name in ("nats", "tokens", "bytes", "chars")}
            assert kept == {name: getattr(loss, name) for name in kept}
    counted = ("gradient_evaluations", "flops", "clock_seconds")
    numbers = (len(report.scalars) + len(report.measures) + len(counted) for report in reports)
    assert len(points) == sum(numbers) + sum(4 * len(report.losses) for report in reports)
    files = {file.name for file in home.run_dir(run.id).iterdir()}
    assert files == {"run.json", "weights.safetensors", "checkpoint", "log.txt"}
    assert json.loads((home.run_dir(run.id) / "run.json").read_text())["run"]["id"] == run.id


def test_the_table_shows_what_the_best_step_came_to(home, new_run):
    run = home.train(new_run(4).id)
    row = home.run_table().iloc[0]
    assert row["bits_per_byte_after"] == run.best_value
    curve = home.store.metrics.adaptation_curve([run.id], "validation", step=run.best_step)
    before, after = curve["nats"] / curve["bytes"] / 0.6931471805599453
    assert row["bits_per_byte_before"] == pytest.approx(before)
    assert row["bits_per_byte_after"] == pytest.approx(after)
    assert row["tokens_per_second"] > 0


def test_a_run_that_was_stopped_and_resumed_is_the_one_that_was_not(home, new_run, stop_after):
    whole = home.train(new_run(6).id)
    run = new_run(6)
    for reports in (1, 3):
        should_stop, on_report = stop_after(reports)
        assert home.train(run.id, should_stop, on_report=on_report).status == "stopped"
    run = home.train(run.id)
    assert run.status == "finished"
    assert curves(home, run).equals(curves(home, whole))
    left, right = (load_weights(home.weights_path(each.id)) for each in (run, whole))
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert (run.adaptation, run.best_step, run.best_value) == (
        whole.adaptation,
        whole.best_step,
        whole.best_value,
    )


def test_a_run_that_was_extended_goes_on_from_where_it_ended(home, new_run):
    run = home.train(new_run(2).id)
    extended = home.extend_run(run.id, 3)
    assert (extended.status, run_config(extended.config).budget.amount) == ("queued", 5)
    run = home.train(run.id)
    assert (run.status, run.step) == ("finished", 5)
    steps = home.store.metrics.curve([run.id], "query")["step"].tolist()
    assert steps == [1, 2, 3, 4, 5]


def test_a_finished_run_is_not_trained_again(home, new_run):
    run = home.train(new_run(1).id)
    with pytest.raises(RunStateError, match="it is finished"):
        home.train(run.id)
    assert home.run(run.id) == run


def test_a_child_starts_from_its_parents_best_weights(home, new_run, stop_after):
    parent = home.train(new_run(2, name="parent").id)
    child = new_run(2, init="parent")
    should_stop, on_report = stop_after(1)
    home.train(child.id, should_stop, on_report=on_report)
    assert home.run(child.id).step == 0
    left, right = (load_weights(home.weights_path(run.id)) for run in (parent, child))
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert home.run(child.id).tokenizer == parent.tokenizer


def test_a_child_whose_parent_is_gone_says_so_and_keeps_its_lineage(home, new_run):
    parent = home.train(new_run(1, name="parent").id)
    child = new_run(1, init="parent", name="child")
    home.delete_run(parent.id)
    with pytest.raises(NotFoundError, match="from whose weights 'child' starts"):
        home.train(child.id)
    orphan = home.run(child.id)
    assert (orphan.parent, orphan.seen) == (parent.id, child.seen)
    assert home.parent_of(orphan) is None


def test_a_failure_is_stored_with_its_traceback_and_raised(home, new_run):
    run = new_run()
    home.corpus_path("alpha").unlink()
    with pytest.raises(NotFoundError, match="no text of task 'alpha'"):
        home.train(run.id)
    failed = home.run(run.id)
    assert failed.status == "failed"
    assert failed.error.startswith("no text of task 'alpha'")
    assert "Traceback" in failed.traceback
    assert "NotFoundError" in failed.traceback
    assert "failed: no text of task 'alpha'" in home.log(run.id)


def test_a_run_that_diverges_says_where_and_keeps_its_points(home, new_run):
    parent = home.train(new_run(1, name="parent").id)
    weights = load_weights(home.weights_path(parent.id))
    weights["linear.bias"][0] = float("nan")
    save_weights(home.weights_path(parent.id), weights)
    run = new_run(4, init="parent")
    with pytest.raises(DivergedError):
        home.train(run.id)
    failed = home.run(run.id)
    assert (failed.status, failed.step) == ("failed", 0)
    assert "step 1" in failed.error
    curve = home.store.metrics.curve([run.id], "validation")
    assert curve.empty  # the measurement of step 0 is there, and is no number
    assert home.store.metrics.count(run.id) > 0
    assert home.has_checkpoint(run.id)


def test_what_a_listener_raises_fails_the_run_at_a_checkpoint(home, new_run):
    def fall_over(report):
        if report.step == 2:
            raise ZeroDivisionError("on purpose")

    run = new_run(4)
    with pytest.raises(ZeroDivisionError):
        home.train(run.id, on_report=fall_over)
    assert home.run(run.id).error == "ZeroDivisionError: on purpose"
    run = home.train(run.id)
    assert (run.status, run.error, run.traceback) == ("finished", "", "")
    assert home.store.metrics.curve([run.id], "query")["step"].tolist() == [1, 2, 3, 4]


def test_the_clock_goes_on_while_a_run_is_stopped(home, new_run, stop_after):
    run = new_run(4)
    should_stop, on_report = stop_after(2)
    home.train(run.id, should_stop, on_report=on_report)
    time.sleep(0.3)
    home.train(run.id)
    home.store.flush()
    metrics = home.store.metrics
    clock = metrics.scalar_curve([run.id], "clock_seconds").set_index("step")["value"]
    trained = metrics.scalar_curve([run.id], "clock_seconds", x="wall_seconds").set_index("step")["x"]
    assert clock.is_monotonic_increasing
    assert (clock.diff() - trained.diff()).max() >= 0.3


def test_an_interrupt_interrupts(home, new_run):
    def interrupt(_report):
        raise KeyboardInterrupt

    run = new_run(4)
    with pytest.raises(KeyboardInterrupt):
        home.train(run.id, on_report=interrupt)
    assert home.run(run.id).status == "interrupted"


def test_a_damaged_checkpoint_fails_the_run_with_a_plain_word(home, new_run, stop_after):
    run = new_run(4)
    should_stop, on_report = stop_after(2)
    home.train(run.id, should_stop, on_report=on_report)
    [checkpoint] = home.checkpoint_dir(run.id).iterdir()
    checkpoint.write_bytes(b"damaged")
    with pytest.raises(RunStateError, match="must be a whole checkpoint"):
        home.train(run.id)
    assert home.run(run.id).status == "failed"


def test_a_killed_training_loses_no_flushed_point_and_goes_on(tmp_path, python):
    process = python(TRAIN, tmp_path)
    flushed = 0
    while flushed < 20 or not list(tmp_path.glob("home/*/checkpoint/*.safetensors")):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        flushed = int(line)
    process.send_signal(signal.SIGKILL)
    process.wait()

    with Home.open(tmp_path / "home", samples=False) as home:
        run = home.run("killed")
        assert run.status == "interrupted"
        steps = home.store.metrics.curve([run.id], "query", points=10**6)["step"].tolist()
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) >= flushed
        # Its budget is far away: it is stopped a few steps on.
        end = time.monotonic() + 2
        run = home.train(run.id, lambda: time.monotonic() > end)
        assert run.status == "stopped"
        steps = home.store.metrics.curve([run.id], "query", points=10**6)["step"].tolist()
        assert steps == list(range(1, run.step + 1))


def test_a_characters_run_keeps_its_tokenizer_and_shares_it_with_its_child(home, new_run):
    run = home.train(new_run(1, name="parent", tokenizer__kind="characters").id)
    kept = home.store.tokenizers.get(run.tokenizer)
    assert kept.kind == "characters"
    assert list(home.tokens_dir.glob(f"*-{run.tokenizer[:16]}.npy"))
    child = new_run(1, init="parent", tokenizer__kind="characters")
    assert child.tokenizer == run.tokenizer
    home.delete_run(run.id)
    assert home.store.tokenizers.get(child.tokenizer).hash == kept.hash


def test_deleting_a_run_leaves_no_file_of_it(home, new_run):
    before = _files(home.path)
    run = home.train(new_run(2).id)
    list(home.evaluate([run.id], support=(0,), steps=0))
    home.add_scalars(run.id, _report(run), {"cpu_percent": 99.0})
    home.delete_run(run.id)
    assert _files(home.path) == before
    home.store.flush()
    database = home.store._database
    for (table,) in database.rows("SELECT table_name FROM duckdb_tables()"):
        assert not [row for row in database.rows(f"FROM {table}") if run.id in str(row)], table
    assert home.runs() == []


def test_a_running_run_is_not_deleted(home, new_run):
    refused = []

    def delete(_report):
        with pytest.raises(RunStateError, match="it is running") as error:
            home.delete_run(run.id)
        refused.append(error)

    run = new_run(1)
    home.train(run.id, on_report=delete)
    assert refused


def _report(run):
    counts = {"gradient_evaluations": run.tokens, "flops": 0.0}
    return Report(step=run.step, tokens=run.tokens, seconds=run.seconds, losses=(), progress=1.0, **counts)


def _files(path):
    return {
        os.path.relpath(os.path.join(folder, name), path)
        for folder, _, names in os.walk(path)
        for name in names
        if not name.startswith("metalm.duckdb")
    }


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_a_stop_while_the_tokenizer_is_learned_stops_the_run_and_it_can_go_on(home, new_run, kind):
    run = new_run(2, tokenizer__kind=kind, tokenizer__vocabulary="280")
    stopped = home.train(run.id, lambda: True)
    assert (stopped.status, stopped.tokenizer, stopped.error) == ("stopped", "", "")
    home.requeue_run(run.id)
    assert home.train(run.id).status == "finished"


def test_a_stop_while_tokens_are_written_stops_the_run(home, new_run):
    stopped = home.train(new_run(2).id, lambda: True)
    assert stopped.status == "stopped"
    assert not list(home.tokens_dir.iterdir())


def test_what_an_ancestor_was_trained_on_chooses_nothing(home, new_run):
    parent = home.train(new_run(2, name="parent").id)
    tasks = home.tasks()
    roles = {"alpha": "meta-validation", "beta": "meta-train", "gamma": "meta-validation"}
    home.freeze_split("turned", tasks, {t.id: roles[t.name] for t in tasks if t.name in roles})
    config = replace(run_config(parent.config), init=parent.id)
    child = home.train(home.create_run(config, "turned").id)
    home.store.flush()
    points = home.store.metrics.table(child.id).to_pandas()
    measured = set(points[points["name"] == "validation_nats"]["task_id"])
    assert measured == {task.id for task in tasks if task.name == "gamma"}
