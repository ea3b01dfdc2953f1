import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalm.config import ModelConfig
from metalm.evaluate.baselines import (
    UNIFORM,
    UNIGRAM,
    from_scratch,
    joint_fine_tuning,
    joint_zero_shot,
    tuned_scratch,
    unigram_table,
)
from metalm.evaluate.protocol import Protocol, evaluate
from metalm.learn.stopping import Stopped
from metalm.learn.tuning import Grid
from metalm.text.tokenizers import ByteTokenizer
from metalm.units import bits_per_byte

PROTOCOL = Protocol(split_id="s", support_bytes=(0, 1000))
MODEL = ModelConfig(embedding=4, hidden=8)
GRID = Grid(lrs=(0.5, 1.0), steps=(1, 3), lengths=(), support_bytes=300, query_bytes=100)


def test_uniform_costs_exactly_eight_bits_a_byte(texts):
    for row in evaluate(UNIFORM, texts, PROTOCOL):
        assert bits_per_byte(row.nats, row.bytes) == pytest.approx(8.0, rel=1e-12)


def test_unigram_without_support_is_uniform_and_with_it_cheaper(texts):
    for row in evaluate(UNIGRAM, texts, PROTOCOL):
        if row.support_bytes == 0:
            assert bits_per_byte(row.nats, row.bytes) == pytest.approx(8.0)
        else:
            assert bits_per_byte(row.nats, row.bytes) < 6


@given(st.binary(max_size=200))
def test_unigram_is_a_distribution_and_orders_bytes_by_count(support):
    p = np.exp(-unigram_table(support))

    assert p.sum() == pytest.approx(1.0)
    counts = np.bincount(np.frombuffer(support, dtype=np.uint8), minlength=256)
    assert p == pytest.approx((counts + 0.5) / (len(support) + 128))


def test_every_baseline_meets_the_same_bytes(gru, texts):
    contenders = [UNIFORM, UNIGRAM, joint_zero_shot(gru()), joint_fine_tuning(gru())]
    met = [
        {(row.task_id, row.support_bytes, row.bytes, row.chars) for row in evaluate(c, texts, PROTOCOL)}
        for c in contenders
    ]
    assert all(each == met[0] for each in met)


def test_joint_baselines_are_the_joint_run_before_and_after_its_steps(gru, texts):
    own = {row.key: row.nats for row in evaluate(gru(), texts, PROTOCOL)}
    before = list(evaluate(joint_zero_shot(gru()), texts, PROTOCOL))
    after = list(evaluate(joint_fine_tuning(gru()), texts, PROTOCOL))

    unadapted = {key: nats for key, nats in own.items() if key[-1] == 0}
    assert {row.key: row.nats for row in before} == pytest.approx(unadapted)
    assert {row.key: row.nats for row in after} == pytest.approx(own)
    assert {row.method for row in before} == {"joint zero-shot"}
    assert {row.method for row in after} == {"joint fine-tuning"}


def tuned(own, texts):
    return replace(own, rule=replace(own.rule, inner=tuned_scratch(own, texts, GRID).inner))


def test_scratch_starts_near_uniform_and_learns_from_the_support_alone(texts):
    contender = tuned(from_scratch(MODEL, ByteTokenizer(), seed=2), texts)
    rows = list(evaluate(contender, texts, PROTOCOL))

    assert contender.rule.inner.steps == 3
    for row in rows:
        bits = bits_per_byte(row.nats, row.bytes)
        assert (7.5 < bits < 8.5) if row.adaptation_step == 0 else bits < 8
        assert row.method == "scratch"


def test_scratch_follows_from_its_seed(texts):
    def nats(seed):
        contender = tuned(from_scratch(MODEL, ByteTokenizer(), seed=seed), texts[:1])
        return [row.nats for row in evaluate(contender, texts[1:], PROTOCOL)]

    assert nats(2) == nats(2)
    assert nats(2) != nats(3)


def test_tuning_of_scratch_can_be_stopped(texts):
    with pytest.raises(Stopped):
        tuned_scratch(from_scratch(MODEL, ByteTokenizer()), texts, should_stop=lambda: True)


def test_smoothing_leaves_no_byte_without_probability():
    assert math.isfinite(unigram_table(b"aaaa").max())
