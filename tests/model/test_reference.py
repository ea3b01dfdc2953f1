"""The reference engine against autograd written out, and against itself task by task."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from metalm.config import ModelConfig
from metalm.model.engine import Windows, side_by_side
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.reference import ReferenceEngine
from metalm.model.task_weights import of_task, shared
from metalm.model.task_weights import side_by_side as weights_side_by_side

VOCABULARY = 7


def model_of(layers=1, tied=False, dropout=0.0):
    config = ModelConfig(embedding=4, hidden=4, layers=layers, tied=tied, dropout=dropout)
    return new_model(config, VOCABULARY, seed=1).double()


def task_weights(model, num_tasks):
    """Weights of every task's own."""
    slow = slow_weights(model)
    return weights_side_by_side(
        [{name: w + 0.1 * torch.randn_like(w) for name, w in slow.items()} for _ in range(num_tasks)]
    )


def windows_of(num_tasks, batch=2, length=5):
    return Windows(torch.randint(VOCABULARY, (num_tasks, batch, length + 1)))


@settings(max_examples=15)
@given(num_tasks=st.integers(1, 3), layers=st.integers(1, 2), tied=st.booleans())
def test_losses_and_gradient_are_those_of_the_module_itself(num_tasks, layers, tied):
    model = model_of(layers, tied)
    weights, windows = task_weights(model, num_tasks), windows_of(num_tasks)
    engine = ReferenceEngine(model)

    losses, gradient = engine.gradient(weights, windows)

    for task in range(num_tasks):
        model.load_state_dict(of_task(weights, task), strict=not tied)
        model.zero_grad()
        logits, hidden = model(windows.inputs_TBS[task].T)
        nats = cross_entropy(
            logits.transpose(0, 1).flatten(0, 1), windows.targets_TBS[task].flatten(), reduction="none"
        )
        nats.mean().backward()
        assert torch.allclose(losses.of_task(task).flatten(), nats)
        assert torch.allclose(losses.hidden_TLBH[task], hidden)
        for name, parameter in model.named_parameters():
            assert torch.allclose(gradient[name][task], parameter.grad, atol=1e-12), name
    again = engine.losses(weights, windows)
    assert torch.allclose(again.nats_TBS, losses.nats_TBS)
    assert not gradient["linear.bias"].requires_grad
    assert not losses.nats_TBS.requires_grad


def test_the_model_keeps_its_own_weights():
    model = model_of()
    before = {name: weight.clone() for name, weight in slow_weights(model).items()}
    engine, weights, windows = ReferenceEngine(model), task_weights(model, 2), windows_of(2)

    engine.losses(weights, windows)
    engine.gradient(weights, windows)
    engine.hessian_product(weights, windows, weights)

    assert all(torch.equal(weight, before[name]) for name, weight in slow_weights(model).items())


def test_a_hessian_product_is_the_slope_of_the_gradient():
    model = model_of(layers=2)
    engine, weights, windows = ReferenceEngine(model), task_weights(model, 2), windows_of(2)
    way = {name: torch.randn_like(weight) for name, weight in weights.items()}

    gradient, product = engine.hessian_product(weights, windows, way)

    up, down = (
        engine.gradient({name: w + sign * 1e-5 * way[name] for name, w in weights.items()}, windows)[1]
        for sign in (1, -1)
    )
    for name, part in engine.gradient(weights, windows)[1].items():
        assert torch.allclose(gradient[name], part, atol=1e-12), name
        assert torch.allclose(product[name], (up[name] - down[name]) / 2e-5, atol=1e-7), name


def test_a_direction_that_lacks_names_is_zero_there():
    model = model_of()
    engine, weights, windows = ReferenceEngine(model), task_weights(model, 2), windows_of(2)
    bias = {"linear.bias": torch.randn_like(weights["linear.bias"])}
    zeros = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    _, product = engine.hessian_product(weights, windows, bias)

    _, expected = engine.hessian_product(weights, windows, {**zeros, **bias})
    assert all(torch.allclose(product[name], expected[name]) for name in weights)


def test_only_the_names_that_are_asked_for_come_back():
    model = model_of()
    engine, weights, windows = ReferenceEngine(model), shared(slow_weights(model), 2), windows_of(2)

    _, gradient = engine.gradient(weights, windows, ["rnn.bias_ih_l0"])

    assert list(gradient) == ["rnn.bias_ih_l0"]
    assert torch.allclose(gradient["rnn.bias_ih_l0"], engine.gradient(weights, windows)[1]["rnn.bias_ih_l0"])


@settings(max_examples=15)
@given(sizes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=4))
def test_a_mask_hides_what_pads(sizes):
    model = model_of()
    engine = ReferenceEngine(model)
    texts = [torch.randint(VOCABULARY, (rows, length + 1)) for rows, length in sizes]
    texts.append(torch.randint(VOCABULARY, (2, 4)))
    weights = task_weights(model, len(texts))

    losses, gradient = engine.gradient(weights, side_by_side(texts))

    for task, text in enumerate(texts):
        if not len(text):
            assert all(not part[task].any() for part in gradient.values())
            assert not losses.nats_TBS[task].any()
            continue
        own = {name: weight[None, task] for name, weight in weights.items()}
        alone, part = engine.gradient(own, Windows(text[None]))
        rows, length = text.shape
        assert torch.allclose(losses.nats_TBS[task, :rows, : length - 1], alone.nats_TBS[0])
        assert losses.nats_TBS[task].sum() == pytest.approx(float(alone.nats_TBS.sum()))
        assert all(torch.allclose(gradient[name][task], part[name][0]) for name in part)


def test_a_text_in_two_pieces_costs_what_it_costs_in_one():
    model = model_of(layers=2)
    engine, weights = ReferenceEngine(model), shared(slow_weights(model), 2)
    tokens = torch.randint(VOCABULARY, (2, 3, 9))

    whole = engine.losses(weights, Windows(tokens))
    first = engine.losses(weights, Windows(tokens[..., :5]))
    second = engine.losses(weights, Windows(tokens[..., 4:], hidden_TLBH=first.hidden_TLBH))

    assert torch.allclose(torch.cat([first.nats_TBS, second.nats_TBS], dim=-1), whole.nats_TBS)
    assert torch.allclose(second.hidden_TLBH, whole.hidden_TLBH)


def test_dropout_follows_from_the_seed_and_the_task_in_every_derivative():
    model = model_of(layers=2, dropout=0.4)
    engine, weights = ReferenceEngine(model), shared(slow_weights(model), 2)
    tokens = torch.randint(VOCABULARY, (1, 2, 6)).expand(2, 2, 6)
    windows = Windows(tokens, dropout_seeds=[5, 6])

    losses, gradient = engine.gradient(weights, windows)

    assert torch.equal(engine.losses(weights, windows).nats_TBS, losses.nats_TBS)
    assert torch.allclose(
        engine.hessian_product(weights, windows, weights)[0]["rnn.bias_hh_l1"], gradient["rnn.bias_hh_l1"]
    )
    assert not torch.equal(losses.nats_TBS[0], losses.nats_TBS[1])
    other = engine.losses(weights, Windows(tokens, dropout_seeds=[7, 8]))
    assert not torch.equal(other.nats_TBS, losses.nats_TBS)
    without = engine.losses(weights, Windows(tokens))
    assert torch.equal(without.nats_TBS[0], without.nats_TBS[1])
