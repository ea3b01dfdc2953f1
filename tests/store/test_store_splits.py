"""Corpora and splits: named apart, kept as they were frozen, and protected while something stands on them."""

from dataclasses import replace

import pytest

from metalm.errors import InUseError, NotFoundError, SplitError
from metalm.text.corpora import Segment
from metalm.text.splits import freeze
from metalm.text.tasks import tasks_of


def test_a_corpus_comes_out_as_it_went_in(store, corpora):
    cut = replace(corpora[0], segments=(Segment(name="g", begin=0, end=5000),), licence="CC0")
    assert store.corpora.add(cut) == [cut]
    assert store.corpora.all() == [cut]
    assert store.corpora.get(cut.id) == cut


def test_a_name_that_is_taken_gets_a_number_and_the_same_text_is_one_corpus(store, corpora):
    same_name = [replace(corpus, name="text") for corpus in corpora]
    assert [corpus.name for corpus in store.corpora.add(*same_name)] == ["text", "text-2", "text-3"]
    [known] = store.corpora.add(replace(same_name[0], name="another name"))
    assert known.name == "text"
    assert len(store.corpora.all()) == 3


def test_a_taken_name_is_refused(store, corpora):
    store.corpora.add(*corpora)
    with pytest.raises(InUseError, match="'two' must be free"):
        store.corpora.rename(corpora[0].id, "two")
    store.corpora.rename(corpora[0].id, "eins")
    assert store.corpora.get(corpora[0].id).name == "eins"


def test_a_corpus_is_kept_while_a_split_uses_it(store, corpora, split):
    store.corpora.add(*corpora)
    store.splits.add(split)
    with pytest.raises(InUseError, match="corpus 'one' must not be in use to be deleted, splits 'numbers'"):
        store.corpora.delete(corpora[0].id)
    store.splits.delete(split.id)
    store.corpora.delete(corpora[0].id)
    with pytest.raises(NotFoundError):
        store.corpora.get(corpora[0].id)


def test_statistics_are_kept_beside_a_corpus(store, corpora):
    store.corpora.add(corpora[0])
    assert store.corpora.statistics(corpora[0].id) is None
    store.corpora.keep_statistics(corpora[0].id, {"words": [["ü", 3]]})
    assert store.corpora.statistics(corpora[0].id) == {"words": [["ü", 3]]}
    assert store.corpora.get(corpora[0].id) == corpora[0]


def test_a_split_comes_out_as_it_went_in(store, split):
    assert store.splits.add(split) == [split]
    kept = store.splits.get(split.id)
    assert (kept, kept.hash) == (split, split.hash)
    assert store.splits.all() == [split]
    assert store.splits.names() == {split.id: "numbers"}


def test_the_same_split_twice_is_one_and_another_needs_another_name(store, corpora, split):
    store.splits.add(split)
    assert store.splits.add(replace(split, name="again")) == [split]
    tasks = tasks_of(corpora[:2])
    other = freeze("numbers", tasks, {tasks[0].id: "meta-train", tasks[1].id: "meta-test"})
    with pytest.raises(SplitError, match="'numbers' is taken"):
        store.splits.add(other)


def test_a_split_keeps_the_relatives_it_was_frozen_with(store, corpora, split):
    store.splits.add(split)
    related = [replace(task, relatives="all", groups={"family": "Another"}) for task in tasks_of(corpora[:2])]
    alone = tasks_of(corpora[2:])
    roles = {related[0].id: "meta-train", related[1].id: "meta-train", alone[0].id: "meta-test"}
    later = freeze("later", [*related, *alone], roles)
    store.splits.add(later)
    assert store.splits.get(split.id) == split
    assert store.splits.get(later.id) == later


def test_a_split_is_kept_while_a_run_trains_on_it(store, run, split):
    store.splits.add(split)
    store.runs.add(replace(run, id="e" * 12, name="user", split_id=split.id))
    with pytest.raises(InUseError, match="runs 'user' use it"):
        store.splits.delete(split.id)
    store.runs.delete("e" * 12)
    store.splits.delete(split.id)
    assert store.splits.all() == []


def test_every_opening_of_meta_test_is_counted(store, split):
    store.splits.add(split)
    assert store.splits.openings(split.id) == 0
    for run_id in ("a", "a", "b"):
        store.splits.record_opening(split.id, run_id)
    assert store.splits.openings(split.id) == 3
