from dataclasses import replace

import pytest

from metalm.config import InnerLoop
from metalm.learn.rules import Rule
from metalm.learn.stopping import never
from metalm.learn.validation import mean_bits_per_byte, validation_losses, validation_tasks
from metalm.model.fast_weights import slow_weights
from metalm.units import bits_per_byte


def test_tasks_are_cut_as_evaluation_cuts_them(validation):
    for task, text in zip(validation_tasks(validation, 300, 100), validation, strict=True):
        begin, end = text.support(300)
        assert end == text.cut.train_end
        assert task.support == text.read(begin, end)
        assert task.query == text.read(text.cut.query_begin, text.cut.query_end)[: len(task.query)]
        assert 97 <= len(task.query) <= 100


def test_a_text_shorter_than_the_support_set_gives_all_it_trains_on(make_text):
    text = make_text("short", 1200)

    (task,) = validation_tasks([text], 5000, 100)

    assert task.support == text.read(0, text.cut.train_end)


def test_means_are_over_tasks_not_over_bytes(model, tokenizer, validation):
    tasks = validation_tasks(validation, 200, 100)
    inner = InnerLoop(steps=2, lr=0.3, batch=2, window=8)

    losses = validation_losses(model, slow_weights(model), tokenizer, tasks, Rule(inner), never)

    after = [bits_per_byte(loss.nats, loss.bytes) for loss in losses if loss.adaptation_step == 2]
    assert len(after) == 2
    assert mean_bits_per_byte(losses, 2) == pytest.approx(sum(after) / 2)
    assert mean_bits_per_byte(losses, 2) < mean_bits_per_byte(losses, 0)


def test_no_steps_are_measured_once(model, tokenizer, validation):
    tasks = validation_tasks(validation, 200, 100)

    losses = validation_losses(model, slow_weights(model), tokenizer, tasks, Rule(InnerLoop(steps=0)), never)

    assert [loss.adaptation_step for loss in losses] == [0, 0]


def test_more_tasks_than_one_block_are_measured_as_one_by_one(model, tokenizer, make_text):
    texts = [make_text(f"text {size}", size) for size in range(1100, 3800, 300)]
    tasks, rule = validation_tasks(texts, 1500, 100), Rule(InnerLoop(steps=2, lr=0.3, batch=2, window=8))

    together = validation_losses(model, slow_weights(model), tokenizer, tasks, rule, never)

    for task in tasks:
        alone = validation_losses(model, slow_weights(model), tokenizer, [task], rule, never)
        found = [loss for loss in together if loss.task_id == task.task_id]
        assert [replace(loss, nats=0) for loss in found] == [replace(loss, nats=0) for loss in alone]
        assert [loss.nats for loss in found] == pytest.approx([loss.nats for loss in alone], rel=1e-5)
