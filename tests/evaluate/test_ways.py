"""Other ways to adapt: what moves, what is tuned, and that all try as many points."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from metalm.config import METHODS, OWN, length_for
from metalm.evaluate.contenders import Method
from metalm.evaluate.protocol import Protocol, evaluate
from metalm.evaluate.ways import WAYS, by_way, tuned_way, ways_of
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.rules import RATE, Rule
from metalm.learn.tuning import Adaptation
from metalm.model.engines import engine_for
from metalm.model.task_weights import of_task, shared

PROTOCOL = Protocol(split_id="s", support_bytes=(600,))


@pytest.fixture
def learned(gru):
    """A contender whose run learned a rate for each weight."""
    own = gru()
    rates = {RATE + name: torch.full((2, *weight.shape), 1.5) for name, weight in own.weights.items()}
    return replace(own, rule=Rule(own.rule.inner, rates))


def fast_weights(contender, support):
    windows = SupportSet.of_text(contender.tokenizer, support, contender.rule.inner.window)
    slow = shared(contender.weights, 1)
    return of_task(adapt(engine_for(contender.model), slow, [windows], contender.rule), 0)


def test_one_rate_is_a_way_where_rates_were_learned(gru, learned):
    assert ways_of(gru().rule) == ("head only", "proximal", "Adam")
    assert ways_of(learned.rule) == ("head only", "proximal", "Adam", "one rate")


@pytest.mark.parametrize("method", WAYS)
def test_every_way_tries_twelve_points_beside_none(method, learned):
    tried = WAYS[method](learned.rule)
    assert sum(len(grid.lrs) * len(grid.steps) for _, grid in tried) == 12


def test_only_the_head_moves_where_the_head_is_all(gru, texts):
    own = gru()
    way = by_way("head only", own, Adaptation(inner=WAYS["head only"](own.rule)[0][0].inner))
    fast = fast_weights(way, texts[0].read(0, 600))
    moved = {name for name, weight in fast.items() if not weight.equal(own.weights[name])}
    assert moved == {"linear.weight", "linear.bias"}


def test_an_infinite_pull_gives_the_slow_weights(gru, texts):
    own = gru()
    inner = replace(WAYS["proximal"](own.rule)[0][0].inner, proximal=1e6, lr=100.0)
    fast = fast_weights(by_way("proximal", own, Adaptation(inner=inner)), texts[0].read(0, 600))
    for name, weight in fast.items():
        assert torch.allclose(weight, own.weights[name], atol=1e-5)


def test_one_rate_forgets_the_learned_ones(learned, texts):
    inner = replace(learned.rule.inner, lr=learned.rule.inner.lr * 1.5)
    plain = by_way("one rate", learned, Adaptation(inner=inner))
    assert plain.rule.learned == {}
    support = texts[0].read(0, 600)
    theirs, ours = fast_weights(learned, support), fast_weights(plain, support)
    for name, weight in theirs.items():  # the learned rates are 1.5 everywhere
        assert torch.allclose(weight, ours[name], atol=1e-6)


def test_a_tuned_way_is_no_worse_where_it_was_tuned_than_no_adaptation(gru, texts):
    own = gru()
    found = tuned_way("Adam", own, texts)
    [without] = [point.bits_per_byte for point in found.rated if point.lr == 0]
    assert found.bits_per_byte <= without
    assert found.inner.optimizer == "adam"
    rows = list(evaluate(by_way("Adam", own, found), texts, PROTOCOL))
    assert {row.method for row in rows} == {"Adam"}
    assert {row.adaptation["optimizer"] for row in rows} == {"adam"}
    for row in rows:  # as many steps as were the best for a support set of that size
        assert row.adaptation_step <= length_for(row.support_bytes, found.lengths, found.inner.steps)


def test_the_names_of_methods_stand_once():
    assert sorted(METHODS) == sorted(get_args(Method))
    assert OWN == ("adapt",)
