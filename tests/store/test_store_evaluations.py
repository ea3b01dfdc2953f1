"""Evaluations, saved adaptations and tokenizers come out as they went in."""

import math
from dataclasses import replace

import pytest

from metalm.errors import NotFoundError
from metalm.store.adaptations import AdaptationRecord, AdaptationStep, Sample
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer


def test_rows_come_out_with_names(store, run, split, evaluation):
    store.splits.add(split)
    [task] = split.of_role("meta-test")
    store.evaluations.add([evaluation(split_id=split.id, role="meta-test", task_id=task.id, nats=math.inf)])
    store.flush()
    [row] = store.evaluations.frame([run.id]).to_dict("records")
    assert (row["run"], row["task"], row["split"]) == (run.name, "three", "numbers")
    assert (row["near"], row["nats"], row["seen"]) == (True, math.inf, False)


def test_rows_are_chosen_by_run_split_and_role(store, run, evaluation):
    rows = [
        evaluation(),
        evaluation(role="meta-test"),
        evaluation(split_id="other"),
        evaluation(run_id="b" * 12),
        evaluation(run_id=None, checkpoint_step=None, method="uniform"),
    ]
    store.evaluations.add(rows)
    store.flush()
    assert len(store.evaluations.frame()) == 5
    assert len(store.evaluations.frame([run.id])) == 4
    assert len(store.evaluations.frame([run.id], with_baselines=False)) == 3
    chosen = store.evaluations.frame([run.id], split_id="s" * 16, role="meta-validation")
    assert sorted(chosen["method"]) == ["adapt", "uniform"]


def test_of_several_checkpoints_the_latest_is_shown(store, run, evaluation):
    store.evaluations.add([evaluation(checkpoint_step=5), evaluation(checkpoint_step=9, nats=1.0)])
    store.flush()
    assert store.evaluations.frame([run.id])["nats"].tolist() == [1.0]


def test_what_is_done_is_known_before_it_is_flushed(store, evaluation):
    place = {"checkpoint_step": 5, "split_id": "s" * 16, "role": "meta-validation", "method": "adapt"}
    store.evaluations.add([evaluation(draw=draw) for draw in (0, 1)])
    store.evaluations.add([evaluation(adaptation={"steps": 4, "lr": 0.5})])
    done = store.evaluations.done("a" * 12, **place, adaptation={"steps": 3, "lr": 0.5})
    assert [row["draw"] for row in done] == [0, 1]
    assert store.evaluations.done(None, **place, adaptation={"steps": 3, "lr": 0.5}) == []


def test_a_saved_adaptation_keeps_every_character(store):
    record = AdaptationRecord(run="a" * 12, name="demo", support="sü", query="qü", adaptation={"lr": 0.5})
    steps = [
        AdaptationStep(
            step=step, nats=3.0, tokens=3, bytes=3, chars=2, seconds=0.1, char_nats=(1.0, math.inf)
        )
        for step in range(3)
    ]
    steps[2] = replace(steps[2], guesses={"texts": ["ü"], "places": [[0], []], "chances": [[0.5], []]})
    samples = [Sample(run=record.run, adaptation_id=record.id, prompt="p", text="t", temperature=0.8, seed=1)]
    store.adaptations.add(record, steps, samples)
    assert store.adaptations.all() == [record]
    assert store.adaptations.get(record.id) == record
    assert store.adaptations.steps(record.id) == steps
    assert store.adaptations.samples(adaptation_id=record.id) == samples
    samples = [replace(samples[0], text="other", top_p=0.9)]
    store.adaptations.replace_samples(record.id, samples)
    assert store.adaptations.samples(adaptation_id=record.id) == samples
    store.adaptations.add_samples([Sample(run="b" * 12, prompt="", text="", temperature=1.0, seed=0)])
    assert len(store.adaptations.samples()) == 2
    assert len(store.adaptations.samples(run="b" * 12)) == 1
    store.adaptations.delete(record.id)
    assert len(store.adaptations.samples()) == 1
    assert store.adaptations.steps(record.id) == []
    with pytest.raises(NotFoundError, match="no saved adaptation"):
        store.adaptations.get(record.id)


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), CharacterTokenizer("abcß\n")], ids=lambda t: t.kind)
def test_a_tokenizer_comes_out_as_it_went_in(store, tokenizer):
    store.tokenizers.add(tokenizer)
    store.tokenizers.add(tokenizer)
    kept = store.tokenizers.get(tokenizer.hash)
    assert kept.hash == tokenizer.hash
    assert kept.encode("abß".encode()).ids.tolist() == tokenizer.encode("abß".encode()).ids.tolist()
    assert not store.tokenizers.is_used(tokenizer.hash)
    store.tokenizers.delete(tokenizer.hash)
    with pytest.raises(NotFoundError, match="no tokenizer"):
        store.tokenizers.get(tokenizer.hash)
