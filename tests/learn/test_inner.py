"""The inner loop against the same thing in plain torch; many tasks side by side against one at a time."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from metalm.config import InnerLoop, ModelConfig
from metalm.learn.inner import TASKS_AT_ONCE, SupportSet, Wanted, adapt, adaptation, blocks
from metalm.learn.rules import FISHER, RATE, Rule
from metalm.learn.stopping import Stopped
from metalm.model.engine import Windows
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.task_weights import of_task, shared

IDS = np.arange(100) % 7


def one(model, inner, support, **kwargs):
    """The fast weights of one task."""
    return of_task(
        adapt(engine_for(model), shared(slow_weights(model), 1), [support], Rule(inner), **kwargs), 0
    )


def test_zero_steps_return_the_slow_weights_themselves(model):
    weights = shared(slow_weights(model), 2)
    supports = [SupportSet.of_ids(IDS, 8)] * 2

    assert adapt(engine_for(model), weights, supports, Rule(InnerLoop(steps=0))) is weights


@pytest.mark.parametrize("ids", [[], [3]])
def test_support_sets_that_predict_nothing_return_the_slow_weights(model, ids):
    weights = shared(slow_weights(model), 1)
    support = SupportSet.of_ids(np.array(ids, dtype=int), 8)

    assert adapt(engine_for(model), weights, [support], Rule(InnerLoop())) is weights


@pytest.mark.parametrize("clip", [0.0, 0.1, 100.0])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_adaptation_is_what_plain_torch_does(model, clip, optimizer):
    model = model.double()
    inner = InnerLoop(steps=3, lr=0.07, batch=4, window=8, clip=clip, optimizer=optimizer)
    support = SupportSet.of_ids(IDS, 8)
    plain = copy.deepcopy(model)
    descent = {
        "sgd": lambda: torch.optim.SGD(plain.parameters(), lr=0.07),
        "adam": lambda: torch.optim.Adam(plain.parameters(), lr=0.07, betas=(0.0, 0.999)),
    }[optimizer]()
    for step in range(3):
        windows = torch.stack([support.windows_NT[(4 * step + i) % len(support)] for i in range(4)])
        logits, _ = plain(windows.T[:-1])
        descent.zero_grad()
        nn.CrossEntropyLoss()(logits.reshape(-1, 256), windows.T[1:].reshape(-1)).backward()
        if clip:
            total = torch.sqrt(sum((p.grad**2).sum() for p in plain.parameters()))
            for parameter in plain.parameters():
                parameter.grad.mul_(min(1.0, clip / float(total)))
        descent.step()

    fast = one(model, inner, support)

    for name, parameter in plain.named_parameters():
        # What Adam makes of a gradient near 0 is as rough as that gradient.
        assert torch.allclose(fast[name], parameter, atol=1e-9 if optimizer == "sgd" else 1e-6), name


def test_adaptation_changes_neither_weights_nor_model(model):
    weights = slow_weights(model)
    before = {name: weight.clone() for name, weight in weights.items()}

    fast = one(model, InnerLoop(steps=2), SupportSet.of_ids(IDS, 8))

    assert all(torch.equal(weights[name], before[name]) for name in before)
    assert not any(weight.requires_grad for weight in fast.values())
    assert not torch.equal(fast["linear.bias"], before["linear.bias"])


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    adapts=st.sampled_from(["all", "head", "head+embedding", "biases"]),
    proximal=st.sampled_from([0.0, 2.0]),
    layers=st.integers(1, 2),
)
def test_tasks_side_by_side_adapt_as_each_does_alone(lengths, adapts, proximal, layers):
    model = new_model(ModelConfig(embedding=3, hidden=4, layers=layers), 7, seed=1).double()
    inner = InnerLoop(steps=2, lr=0.5, batch=2, window=6, clip=0.2, adapts=adapts, proximal=proximal)
    rng = np.random.default_rng(0)
    supports = [SupportSet.of_ids(rng.integers(7, size=length), 6) for length in lengths]

    fast = adapt(engine_for(model), shared(slow_weights(model), len(supports)), supports, Rule(inner))

    for task, support in enumerate(supports):
        alone = one(model, inner, support)
        for name, weight in alone.items():
            assert torch.allclose(fast[name][task], weight, atol=1e-12), name


@pytest.mark.parametrize(
    ("adapts", "moving"),
    [
        ("head", {"linear.weight", "linear.bias"}),
        ("head+embedding", {"linear.weight", "linear.bias", "embedding.weight"}),
        ("biases", {"linear.bias", "rnn.bias_ih_l0", "rnn.bias_hh_l0"}),
    ],
)
def test_only_what_adapts_moves(model, adapts, moving):
    inner = InnerLoop(steps=2, batch=2, window=8, adapts=adapts)

    fast = one(model, inner, SupportSet.of_ids(IDS, 8))

    assert {name for name, weight in slow_weights(model).items() if not weight.equal(fast[name])} == moving


def test_a_tied_models_head_is_its_table():
    model = new_model(ModelConfig(embedding=4, hidden=4, tied=True), 7, seed=1)

    fast = one(model, InnerLoop(steps=1, window=8, adapts="head"), SupportSet.of_ids(IDS, 8))

    moved = {name for name, weight in slow_weights(model).items() if not weight.equal(fast[name])}
    assert moved == {"embedding.weight", "linear.bias"}


@pytest.mark.parametrize("fisher", [False, True])
def test_a_pull_leaves_the_less_of_the_way_the_stronger_it_is(model, fisher):
    model = model.double()
    slow, support = slow_weights(model), SupportSet.of_ids(IDS, 8)
    learned = (
        {FISHER + name: torch.rand_like(weight) + 0.1 for name, weight in slow.items()} if fisher else {}
    )
    engine, ways = engine_for(model), []
    for proximal in (0.0, 1.0, 10.0, 1e6):
        rule = Rule(InnerLoop(steps=3, lr=0.3, batch=2, window=8, proximal=proximal, fisher=fisher), learned)
        fast = adapt(engine, shared(slow, 1), [support], rule)
        ways.append(max(float((fast[name][0] - weight).abs().max()) for name, weight in slow.items()))

    assert ways == sorted(ways, reverse=True)
    assert 0 < ways[3] < 1e-4


def test_a_long_adaptation_with_a_pull_comes_to_rest_where_pull_and_gradient_cancel(model):
    model = model.double()
    slow, support = slow_weights(model), SupportSet.of_ids(IDS[:33], 8)
    rule = Rule(InnerLoop(steps=400, lr=0.5, batch=8, window=8, clip=0.0, proximal=0.5))
    engine = engine_for(model)

    fast = adapt(engine, shared(slow, 1), [support], rule)

    _, gradient = engine.gradient(fast, Windows(support.windows_NT[None]))
    for name, weight in slow.items():
        assert torch.allclose(
            gradient[name][0] + 0.5 * (fast[name][0] - weight), torch.zeros(1).double(), atol=1e-6
        )


def test_learned_rates_are_factors_of_the_rate_and_the_last_row_serves_what_follows(model):
    model = model.double()
    slow, support = slow_weights(model), SupportSet.of_ids(IDS, 8)
    inner = InnerLoop(steps=3, lr=0.4, batch=2, window=8)
    twos = {RATE + name: torch.full((2, *(1,) * w.dim()), 2.0).double() for name, w in slow.items()}
    whole = {RATE + name: torch.full((1, *w.shape), 2.0).double() for name, w in slow.items()}

    expected = one(model, replace(inner, lr=0.8), support)

    for learned in (twos, whole):
        fast = adapt(engine_for(model), shared(slow, 1), [support], Rule(inner, learned))
        assert all(torch.allclose(fast[name][0], weight) for name, weight in expected.items())


def test_a_rate_of_zero_goes_nowhere(model):
    fast = one(model, InnerLoop(steps=2, lr=0.0, window=8), SupportSet.of_ids(IDS, 8))

    assert all(torch.equal(fast[name], weight) for name, weight in slow_weights(model).items())


def test_each_step_tells_the_losses_that_it_learned_from(model):
    inner = InnerLoop(steps=2, batch=4, window=8)
    support, engine = SupportSet.of_ids(IDS, 8), engine_for(model)

    steps = list(
        adaptation(engine, shared(slow_weights(model), 1), [support], Rule(inner), Wanted(gradients=[1]))
    )

    assert [adapted.step for adapted in steps] == [0, 1, 2]
    assert steps[0].lesson is None
    for before, after in zip(steps, steps[1:], strict=False):
        windows = Windows(support.batch(before.step, 4)[None])
        losses, gradient = engine.gradient(before.weights, windows)
        assert torch.equal(after.lesson.windows.tokens_TBS, windows.tokens_TBS)
        assert torch.allclose(after.lesson.losses.nats_TBS, losses.nats_TBS)
        assert (after.lesson.gradient is None) == (after.step == 1)
    assert all(torch.allclose(steps[2].lesson.gradient[name], part) for name, part in gradient.items())


def test_the_stop_flag_is_read_between_two_steps(model):
    steps = []
    with pytest.raises(Stopped):
        one(
            model,
            InnerLoop(steps=5),
            SupportSet.of_ids(IDS, 8),
            on_step=lambda adapted: steps.append(adapted.step),
            should_stop=lambda: len(steps) == 3,
        )

    assert steps == [0, 1, 2]


@given(num_tasks=st.integers(0, 40))
def test_blocks_hold_every_task_once_and_in_order(num_tasks):
    parts = list(blocks(range(num_tasks)))

    assert [task for part in parts for task in part] == list(range(num_tasks))
    assert all(1 <= len(part) <= TASKS_AT_ONCE for part in parts)


@given(num_tokens=st.integers(2, 60), window=st.integers(1, 20))
def test_every_support_token_but_the_first_is_predicted(num_tokens, window):
    windows = SupportSet.of_ids(np.arange(num_tokens), window).windows_NT

    assert set(windows[:, 1:].ravel().tolist()) == set(range(1, num_tokens))
    assert torch.equal(windows[:, 1:], windows[:, :-1] + 1)
    assert len(windows) == math.ceil((num_tokens - 1) / window)


@given(num_windows=st.integers(1, 9), size=st.integers(1, 5))
def test_batches_take_the_windows_in_a_circle(num_windows, size):
    support = SupportSet(torch.arange(num_windows)[:, None])

    batches = [support.batch(step, size).ravel().tolist() for step in range(6)]

    assert all(len(set(batch)) == len(batch) == min(size, num_windows) for batch in batches)
    told = [window for batch in batches for window in batch]
    assert told == [index % num_windows for index in range(len(told))]
