import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from metalm.config import InnerLoop
from metalm.learn.inner import SupportSet, adapt, adaptation, losses_and_gradient, token_losses
from metalm.learn.stopping import Stopped
from metalm.model.fast_weights import slow_weights

IDS = np.arange(100) % 7


def test_zero_steps_return_the_slow_weights_themselves(model):
    weights = slow_weights(model)

    assert adapt(model, weights, SupportSet.of_ids(IDS, 8), InnerLoop(steps=0)) is weights


@pytest.mark.parametrize("ids", [[], [3]])
def test_a_support_set_that_predicts_nothing_returns_the_slow_weights(model, ids):
    weights = slow_weights(model)

    assert adapt(model, weights, SupportSet.of_ids(np.array(ids, dtype=int), 8), InnerLoop()) is weights


@pytest.mark.parametrize("clip", [0.0, 0.1, 100.0])
def test_adaptation_is_sgd_as_plain_torch_does_it(model, clip):
    inner = InnerLoop(steps=3, lr=0.7, batch=4, window=8, clip=clip)
    support = SupportSet.of_ids(IDS, 8)
    plain = copy.deepcopy(model)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.7)
    for step in range(3):
        windows = torch.stack([support.windows_NT[(4 * step + i) % len(support)] for i in range(4)])
        logits, _ = plain(windows.T[:-1])
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(logits.reshape(-1, 256), windows.T[1:].reshape(-1)).backward()
        if clip:
            nn.utils.clip_grad_norm_(plain.parameters(), clip)
        optimizer.step()

    fast = adapt(model, slow_weights(model), support, inner)

    for name, parameter in plain.named_parameters():
        assert torch.allclose(fast[name], parameter, atol=1e-6), name


def test_adaptation_changes_neither_weights_nor_model(model):
    weights = slow_weights(model)
    before = {name: weight.clone() for name, weight in weights.items()}

    fast = adapt(model, weights, SupportSet.of_ids(IDS, 8), InnerLoop(steps=2))

    assert all(torch.equal(weights[name], before[name]) for name in before)
    assert not any(weight.requires_grad for weight in fast.values())
    assert not torch.equal(fast["linear.bias"], before["linear.bias"])


def test_each_step_tells_the_loss_it_learned_from(model):
    inner = InnerLoop(steps=2, batch=4, window=8)
    support = SupportSet.of_ids(IDS, 8)

    steps = list(adaptation(model, slow_weights(model), support, inner))

    assert [adapted.step for adapted in steps] == [0, 1, 2]
    for before, after in zip(steps, steps[1:], strict=False):
        expected = token_losses(model, before.weights, support.batch(before.step, 4))
        assert torch.allclose(after.nats_BT, expected)
        assert torch.equal(after.targets_BT, support.batch(before.step, 4)[:, 1:])


def test_the_gradient_matches_finite_differences(model):
    model = model.double()
    windows_BT = torch.randint(256, (2, 9))
    weights = slow_weights(model)
    _, gradient = losses_and_gradient(model, weights, windows_BT)

    for name, weight in weights.items():
        way, tiny = torch.randn_like(weight), 1e-6
        up, down = (
            float(token_losses(model, {**weights, name: weight + sign * tiny * way}, windows_BT).mean())
            for sign in (1, -1)
        )
        assert (up - down) / (2 * tiny) == pytest.approx(float((gradient[name] * way).sum()), abs=1e-7), name


def test_the_stop_flag_is_read_between_two_steps(model):
    steps = []
    with pytest.raises(Stopped):
        adapt(
            model,
            slow_weights(model),
            SupportSet.of_ids(IDS, 8),
            InnerLoop(steps=5),
            on_step=lambda adapted: steps.append(adapted.step),
            should_stop=lambda: len(steps) == 3,
        )

    assert steps == [0, 1, 2]


@settings(deadline=None)
@given(num_tokens=st.integers(2, 60), window=st.integers(1, 20))
def test_every_support_token_but_the_first_is_predicted(num_tokens, window):
    windows = SupportSet.of_ids(np.arange(num_tokens), window).windows_NT

    assert set(windows[:, 1:].ravel().tolist()) == set(range(1, num_tokens))
    assert torch.equal(windows[:, 1:], windows[:, :-1] + 1)
    assert len(windows) == math.ceil((num_tokens - 1) / window)


@settings(deadline=None)
@given(num_windows=st.integers(1, 9), size=st.integers(1, 5))
def test_batches_take_the_windows_in_a_circle(num_windows, size):
    support = SupportSet(torch.arange(num_windows)[:, None])

    batches = [support.batch(step, size).ravel().tolist() for step in range(6)]

    assert all(len(set(batch)) == len(batch) == min(size, num_windows) for batch in batches)
    told = [window for batch in batches for window in batch]
    assert told == [index % num_windows for index in range(len(told))]
