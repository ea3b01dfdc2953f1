"""Deleted runs: out of every list, back as they were, and views that are kept by name."""

from dataclasses import replace
from datetime import timedelta

import pytest

from metalm.errors import ConfigError, NotFoundError, RunStateError
from metalm.store.run_table import RunQuery
from metalm.store.values import now


@pytest.fixture
def ended(store, run):
    store.runs.set_status(run.id, "finished", expected=["queued"])
    return store.runs.get(run.id)


def test_a_run_in_the_bin_is_in_no_list_and_comes_back_as_it_was(store, ended, evaluation):
    store.evaluations.add([evaluation()])
    store.studies.add_run("study", "key", ended.id)
    store.flush()

    def lists():
        return [
            store.runs.all(),
            store.runs.names(),
            store.runs.named([ended.name]),
            store.runs.with_status("finished"),
            list(store.runs.table()["id"]),
            list(store.run_table.frame(["id"], RunQuery(archived=True))["id"]),
            list(store.run_table.kin()["id"]),
            list(store.studies.runs("study")),
            list(store.evaluations.frame()["run_id"]),
        ]

    before = lists()
    assert all(before)
    store.bin.add([ended.id])
    assert not any(lists())
    assert list(store.bin.table()["name"]) == [ended.name]
    assert store.runs.names(deleted=True) == [(ended.id, ended.name)]
    assert store.bin.restore([ended.id]) == [ended.name]
    assert lists() == before
    assert store.runs.get(ended.id) == ended


def test_a_name_that_was_taken_meanwhile_gets_a_number(store, ended):
    store.bin.add([ended.id])
    store.runs.add(replace(ended, id="b" * 12))
    assert store.bin.restore([ended.id]) == [f"{ended.name}-2"]


def test_all_go_into_the_bin_or_none(store, ended, another_run):
    with pytest.raises(RunStateError, match="'second' must have ended to be deleted, it is queued"):
        store.bin.add([ended.id, another_run.id])
    with pytest.raises(NotFoundError, match="no run 'nobody'"):
        store.bin.add([ended.id, "nobody"])
    assert store.bin.table().empty
    with pytest.raises(NotFoundError):
        store.bin.restore([ended.id])  # it is not there


def test_what_lies_there_for_long_is_told(store, ended):
    store.bin.add([ended.id])
    assert store.bin.before(now()) == [ended.id]
    assert store.bin.before(now() - timedelta(days=1)) == []


def test_a_view_is_kept_replaced_and_forgotten(store):
    store.views.save("runs", " slow ", {"filter": ["seed > 1"], "columns": ["run", "seed"]})
    store.views.save("tasks", "slow", {})
    store.views.save("runs", "slow", {"filter": ["Ünï"]})
    assert store.views.all("runs") == {"slow": {"filter": ["Ünï"]}}
    store.views.delete("runs", "slow")
    assert store.views.all("runs") == {}
    assert store.views.all("tasks") == {"slow": {}}
    with pytest.raises(ConfigError, match="the name of a view must not be empty, got ' '"):
        store.views.save("runs", " ", {})
