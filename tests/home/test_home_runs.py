"""Runs are named apart, know what they have seen, and are refused where that would leak into meta-test."""

from dataclasses import replace

import pytest
from homes import SPLIT, tiny_config

from metalm.errors import ConfigError, LineageError, NotFoundError, RunStateError
from metalm.home.lineage import met, written


@pytest.fixture
def parent(home, new_run):
    """A run that counts as finished."""
    run = new_run(name="parent")
    home.store.runs.set_status(run.id, "finished", expected=["queued"])
    return home.run(run.id)


def split_with(home, name, **roles):
    """A split with tasks in these roles: meta_test=["alpha"]."""
    tasks = home.tasks()
    chosen = {
        task.id: role.replace("_", "-")
        for task in tasks
        for role, names in roles.items()
        if task.name in names
    }
    return home.freeze_split(name, tasks, chosen)


def test_names_are_unique_and_a_run_without_one_gets_one(home, new_run):
    assert [new_run(name="x").name for _ in range(3)] == ["x", "x-2", "x-3"]
    assert new_run().name == "fomaml small"
    assert home.run("x-2").name == "x-2"


def test_seeds_share_a_group(home):
    runs = home.create_runs(tiny_config(seed="5"), SPLIT, num_seeds=3, name="x")
    assert [(run.seed, run.name, run.config["seed"]) for run in runs] == [
        (5, "x seed 5", 5),
        (6, "x seed 6", 6),
        (7, "x seed 7", 7),
    ]
    assert len({run.group for run in runs}) == 1
    assert runs[0].group
    [alone] = home.create_runs(tiny_config(), SPLIT, num_seeds=1)
    assert alone.group == ""


def test_a_run_knows_what_it_sees(home, new_run):
    run = new_run()
    split = home.split(SPLIT)
    assert run.seen == written(split.of_role("meta-train"), home.hash_of)
    assert run.validated == written(split.of_role("meta-validation"), home.hash_of)
    assert len(run.seen) == 2
    assert all(len(text.split(":")[0]) == 64 for text in run.seen)


def test_a_child_has_seen_what_its_parent_saw(home, parent, new_run):
    child = new_run(init="parent")
    assert (child.parent, child.config["init"]) == (parent.id, parent.id)
    other = split_with(home, "other", meta_train=["gamma"], meta_validation=["alpha"])
    grandchild = home.create_run(replace(tiny_config(), init=parent.id), other.id)
    assert set(parent.seen) < set(grandchild.seen)
    assert set(parent.validated) < set(grandchild.validated)
    assert home.parent_of(grandchild) == parent
    assert home.parent_of(parent) is None


@pytest.mark.usefixtures("parent")
@pytest.mark.parametrize(("tested", "deed"), [("alpha", "was trained on"), ("gamma", "was chosen by")])
def test_a_warm_start_across_meta_test_is_refused(home, tested, deed):
    rest = [name for name in ("alpha", "beta", "gamma", "delta") if name != tested]
    split = split_with(home, "leaks", meta_train=rest, meta_test=[tested])
    with pytest.raises(LineageError, match=f"meta-test task '{tested}' of split 'leaks'.*'parent'.*{deed}"):
        home.create_run(replace(tiny_config(), init="parent"), split.id)


def test_a_chunk_of_a_text_that_was_seen_is_seen(home, parent):
    chunks = home.tasks(by="chunks", corpora=["alpha"], chunk_bytes=2000)
    strangers = home.tasks(by="chunks", corpora=["delta"], chunk_bytes=2000)
    found = met([*chunks, *strangers], home.hash_of, parent.seen)
    assert found == chunks
    neighbours = written(chunks[:1], home.hash_of)
    assert met(chunks, home.hash_of, neighbours) == chunks[:1]


def test_a_parent_must_be_finished_and_alike(new_run, parent):
    new_run(name="young")
    with pytest.raises(RunStateError, match="'young' must be finished to start from it, it is queued"):
        new_run(init="young")
    with pytest.raises(ConfigError, match=r"tokenizer must be that of the starting run 'parent' \(bytes\)"):
        new_run(init="parent", tokenizer__kind="characters")
    with pytest.raises(ConfigError, match="model must be that of the starting run 'parent'"):
        new_run(init="parent", model__hidden="16")
    assert new_run(init="parent", model__dropout="0.1").parent == parent.id
    with pytest.raises(NotFoundError, match="no run 'nobody'"):
        new_run(init="nobody")


def test_a_run_on_texts_that_are_not_here_is_refused(home, new_run):
    home.corpus_path("delta").unlink()
    with pytest.raises(NotFoundError, match="no text of task 'delta' in the home; add its corpus"):
        new_run()
    assert home.runs() == []


def test_archived_runs_leave_the_lists(home, new_run):
    new_run(name="x")
    home.archive_run("x")
    assert home.runs() == []
    assert home.run_table().empty
    assert [run.name for run in home.runs(archived=True)] == ["x"]
    home.archive_run("x", False)
    assert [run.name for run in home.runs()] == ["x"]


def test_what_a_user_writes_on_a_run_is_there(home, new_run):
    new_run(name="x")
    new_run(name="y")
    home.rename_run("x", " z ")
    home.set_tags("z", ["b", " a ", "b", ""])
    home.set_notes("z", "note")
    run = home.run("z")
    assert (run.tags, run.notes) == (("b", "a"), "note")
    with pytest.raises(ConfigError, match="'y' must be free"):
        home.rename_run("z", "y")
    with pytest.raises(ConfigError, match="must not be empty"):
        home.rename_run("z", " ")
    home.rename_run("z", "z")


def test_the_queue_keeps_to_the_statuses(home, new_run):
    run = new_run()
    assert not home.resumable(run)
    stopped = home.unqueue_run(run.id)
    assert stopped.status == "stopped"
    assert home.resumable(stopped)
    with pytest.raises(RunStateError, match="must be queued to become stopped"):
        home.unqueue_run(run.id)
    assert home.requeue_run(run.id).status == "queued"
    with pytest.raises(RunStateError, match="to become queued, it is queued"):
        home.requeue_run(run.id)


@pytest.mark.parametrize("amount", [0, -1, float("nan")])
def test_an_extension_must_be_more_than_nothing(home, new_run, amount):
    with pytest.raises(ConfigError, match="amount must be more than 0"):
        home.extend_run(new_run().id, amount)
