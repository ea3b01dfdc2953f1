"""What tuning found, and studies with their runs."""

import pytest

from metalm.errors import NotFoundError


def test_the_newest_tuning_of_a_way_stands(store):
    store.tunings.add("r" * 12, 7, "split", "head", {"lr": 0.1})
    store.tunings.add("r" * 12, 7, "split", "head", {"lr": 0.2})
    store.tunings.add("r" * 12, 7, "split", "Adam", {"lr": 0.001})
    assert store.tunings.get("r" * 12, 7, "split", "head") == {"lr": 0.2}
    assert store.tunings.get("r" * 12, 8, "split", "head") is None  # another checkpoint adapts otherwise
    assert store.tunings.of_run("r" * 12) == {"head": {"lr": 0.2}, "Adam": {"lr": 0.001}}


def test_a_study_knows_its_runs_by_key(store, run, another_run):
    study = store.studies.add("data", "how much", {"seeds": 2})
    assert store.studies.get(study.id) == study
    store.studies.add_run(study.id, "joint", run.id)
    store.studies.add_run(study.id, "joint", another_run.id)
    assert store.studies.runs(study.id) == {"joint": another_run.id}
    store.runs.delete(another_run.id)
    assert store.studies.runs(study.id) == {}  # to be made again


def test_a_deleted_study_leaves_its_runs(store, run):
    study = store.studies.add("data", "how much", {})
    store.studies.add_run(study.id, "joint", run.id)
    store.studies.delete(study.id)
    assert store.runs.get(run.id) == run
    assert store.studies.all() == []
    assert store.studies.runs(study.id) == {}
    with pytest.raises(NotFoundError, match="no study"):
        store.studies.get(study.id)
