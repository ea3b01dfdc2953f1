"""A run as it is kept: what goes in comes out, statuses follow their rules, and deletion leaves nothing."""

from dataclasses import replace

import pytest

from metalm.errors import NotFoundError, RunStateError
from metalm.store.adaptations import AdaptationRecord, AdaptationStep, Sample
from metalm.store.metrics import Point

IDLE = ("queued", "stopped", "failed", "interrupted")


def start(store, run, step=-1, owes_validation=False):
    store.runs.start(run.id, step=step, owes_validation=owes_validation, device="cpu", pid=7, boot_id="boot")


def test_a_run_comes_out_as_it_went_in(store, run):
    assert store.runs.get(run.id) == run
    assert store.runs.all() == [run]


def test_runs_are_listed_newest_first(store, run):
    younger = replace(run, id="c" * 12, name="younger", created_at=run.created_at.replace(year=2027))
    store.runs.add(younger)
    assert [each.name for each in store.runs.all()] == ["younger", "first"]
    assert store.runs.names() == [(younger.id, "younger"), (run.id, "first")]
    assert list(store.runs.table()["name"]) == ["younger", "first"]


def test_some_runs_come_in_the_order_asked_for(store, run, another_run):
    assert store.runs.these([another_run.id, run.id]) == [another_run, run]
    assert store.runs.these([]) == []


def test_a_missing_run_is_named(store, run):
    with pytest.raises(NotFoundError, match="no run 'nobody'"):
        store.runs.get("nobody")
    with pytest.raises(NotFoundError, match="no run 'nobody'"):
        store.runs.these([run.id, "nobody"])


def test_starting_names_the_owner_and_ending_takes_it_away(store, run):
    start(store, run)
    running = store.runs.get(run.id)
    assert (running.status, running.owner_pid, running.owner_boot) == ("running", 7, "boot")
    assert running.started_at is not None
    store.runs.set_status(run.id, "failed", expected=["running"], error="it broke", traceback="trace")
    failed = store.runs.get(run.id)
    assert (failed.status, failed.owner_pid, failed.error, failed.traceback) == (
        "failed",
        None,
        "it broke",
        "trace",
    )
    assert failed.finished_at is not None
    start(store, run)
    again = store.runs.get(run.id)
    assert (again.error, again.finished_at, again.started_at) == ("", None, running.started_at)


@pytest.mark.parametrize("status", ["running", "finished"])
def test_a_run_that_runs_or_is_finished_does_not_start(store, run, status):
    store.runs.set_status(run.id, status, expected=IDLE)
    with pytest.raises(RunStateError, match=f"it is {status}"):
        start(store, run)


def test_resuming_deletes_points_past_the_checkpoint_and_no_others(store, run, another_run, loss_points):
    for each in (run, another_run):
        for step in range(10):
            store.metrics.add(each.id, loss_points(step, 1.0))
    start(store, run, step=4)
    assert store.metrics.count(run.id) == 5 * 4
    assert store.metrics.count(another_run.id) == 10 * 4


def test_a_validation_that_comes_again_is_deleted_before(store, run, loss_points):
    store.metrics.add(run.id, loss_points(4, 1.0) + loss_points(4, 1.0, part="validation"))
    start(store, run, step=4, owes_validation=True)
    assert store.metrics.names([run.id]) == ["query_bytes", "query_chars", "query_nats", "query_tokens"]


def test_progress_is_there_after_a_flush(store, run):
    for step in range(50):
        store.runs.progress(run.id, step=step, tokens=step * 10, seconds=step / 10, progress=step / 100)
    store.flush()
    kept = store.runs.get(run.id)
    assert (kept.step, kept.tokens, kept.seconds, kept.progress) == (49, 490, 4.9, 0.49)


def test_what_a_user_writes_is_there_at_once(store, run):
    store.runs.rename(run.id, "another name")
    store.runs.set_tags(run.id, ["b", "a"])
    store.runs.set_notes(run.id, "notes")
    store.runs.set_archived(run.id, True)
    kept = store.runs.get(run.id)
    assert (kept.name, kept.tags, kept.notes, kept.archived) == ("another name", ("b", "a"), "notes", True)


def test_the_table_has_the_summary_and_the_name_of_the_split(store, run, split):
    store.splits.add(split)
    store.runs.add(replace(run, id="d" * 12, name="on numbers", split_id=split.id))
    store.runs.summarise("d" * 12, bits_per_byte_before=3.0, bits_per_byte_after=2.5, tokens_per_second=10.0)
    row = store.runs.table().set_index("name").loc["on numbers"]
    assert (row["split"], row["bits_per_byte_before"], row["bits_per_byte_after"]) == ("numbers", 3.0, 2.5)
    assert list(row["tags"]) == list(run.tags)


def test_deleting_a_run_leaves_no_row_of_it(store, run, another_run, loss_points, evaluation):
    for each in (run, another_run):
        store.metrics.add(each.id, loss_points(1, 1.0))
        store.evaluations.add([evaluation(run_id=each.id)])
        store.runs.summarise(each.id, tokens_per_second=1.0)
        store.events.add("interrupted", each.id, "message")
        store.jobs.add("training", {"run": each.id}, run_id=each.id)
        store.splits.record_opening("split", each.id)
        kept = AdaptationRecord(run=each.id, name="demo", support="s", query="q", adaptation={})
        step = AdaptationStep(step=0, nats=1, tokens=1, bytes=1, chars=1, seconds=0, char_nats=(1.0,))
        sample = Sample(run=each.id, adaptation_id=kept.id, prompt="", text="t", temperature=1, seed=0)
        store.adaptations.add(kept, [step], [sample])
        store.tunings.add(each.id, 1, "split", "head", {"lr": 0.1})
        store.studies.add_run("study", each.name, each.id)
    before = _rows(store)
    store.runs.delete(run.id)
    after = _rows(store)
    assert not [table for table, rows in after.items() if any(run.id in str(row) for row in rows)]
    for table in before.keys() - {"openings", "schema_version", "studies"}:
        assert len(after[table]) * 2 == len(before[table]), table
    assert store.splits.openings("split") == 2  # the count of what was looked at does not go back


def test_a_running_run_is_not_deleted(store, run):
    start(store, run)
    with pytest.raises(RunStateError, match="to be deleted, it is running"):
        store.runs.delete(run.id)


def _rows(store):
    store.flush()
    database = store._database
    tables = [name for (name,) in database.rows("SELECT table_name FROM duckdb_tables()")]
    return {name: database.rows(f"FROM {name}") for name in tables}


def test_a_point_that_is_no_number_is_refused_at_the_door(store, run):
    with pytest.raises(TypeError):
        store.metrics.add(run.id, [Point(1, 1, 1.0, "lr", None, None, None)])
    store.flush()


def test_runs_compare_by_what_tuning_found(run):
    assert replace(run, best_value=3.5, adaptation=None).tuned_value == 3.5
    points = [{"lr": 0.1, "steps": n, "bits_per_byte": bits} for n, bits in ((5, 3.2), (20, None), (60, 2.9))]
    assert replace(run, best_value=3.5, adaptation={"inner": {}, "grid": points}).tuned_value == 2.9


def test_heads_say_in_short_what_runs_say(store, run, another_run):
    changed = replace(run, id="c" * 12, name="changed", tags=("a", "b"), step=3, best_value=2.5)
    store.runs.add(changed)
    store.runs.set_archived(another_run.id, True)
    heads = {head.id: head for head in store.runs.heads()}
    for run in store.runs.all():
        head = heads[run.id]
        for name in ("name", "status", "split_id", "step", "best_value", "archived"):
            assert getattr(head, name) == getattr(run, name)
        assert tuple(head.tags) == run.tags
    assert [head.id for head in store.runs.heads()] == [run.id for run in store.runs.all()]
