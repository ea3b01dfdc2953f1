"""Both spaces against autograd of what they say they are."""

import pytest
import torch

from metalm.config import InnerLoop, ModelConfig
from metalm.learn.rules import CONTEXT, Rule
from metalm.learn.spaces import added, space_of
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.task_weights import shared

TASKS = 2


@pytest.fixture
def slow():
    model = new_model(ModelConfig(embedding=3, hidden=4, layers=2), 7, seed=1).double()
    return slow_weights(model)


@pytest.fixture(params=["all", "head", "biases", "context"])
def placed(request, slow):
    """(space, point, map): a space and a point in it, away from its start."""
    learned = {CONTEXT: torch.randn(3, 5).double()}
    rule = Rule(InnerLoop(adapts=request.param), learned)
    space = space_of(rule, shared(slow, TASKS))
    point = {name: start + torch.randn(start.shape).double() for name, start in space.start.items()}
    return space, point, learned[CONTEXT]


def like(weights):
    return {name: torch.randn(weight.shape).double() for name, weight in weights.items()}


def inner_product(left, right):
    return sum(float((part * right[name]).sum()) for name, part in left.items())


def test_the_start_stands_at_the_slow_weights(placed, slow):
    space, _, _ = placed
    weights = space.weights(space.start)

    assert weights.keys() == slow.keys()
    assert all(torch.equal(weights[name][task], slow[name]) for name in slow for task in range(TASKS))


def test_pushing_is_what_the_weights_do(placed):
    space, point, _ = placed
    way = like(point)
    moved = space.weights({name: point[name] + way[name] for name in point})

    pushed = space.pushed(way)

    for name, weight in space.weights(point).items():
        assert torch.allclose(moved[name] - weight, pushed.get(name, torch.zeros(1).double()))


def test_pulling_is_the_transpose_of_pushing(placed):
    space, point, _ = placed
    way, gradient = like(point), like(space.weights(point))

    pushed, pulled = space.pushed(way), space.pulled(gradient)

    assert inner_product(pushed, gradient) == pytest.approx(inner_product(way, pulled))


def test_gradients_by_what_is_learned_are_autograds(slow):
    point, gradient = {CONTEXT: torch.randn(TASKS, 5).double()}, like(shared(slow, TASKS))
    leaves = {name: weight.clone().requires_grad_() for name, weight in slow.items()}
    map_leaf = torch.randn(3, 5).double().requires_grad_()
    space = space_of(Rule(InnerLoop(adapts="context"), {CONTEXT: map_leaf.detach()}), shared(slow, TASKS))
    shift = point[CONTEXT] @ map_leaf.T @ leaves["rnn.weight_ih_l0"].T
    here = {**{n: leaf.expand(TASKS, *leaf.shape) for n, leaf in leaves.items()}}
    here["rnn.bias_ih_l0"] = here["rnn.bias_ih_l0"] + shift
    total = sum((here[name] * gradient[name]).sum() for name in here)
    total.backward()

    found = space.slow(gradient, point)

    for name, leaf in {**leaves, CONTEXT: map_leaf}.items():
        assert torch.allclose(found[name].sum(0), leaf.grad), name


def test_what_is_added_stands_beside_or_on_top():
    total = {"a": torch.ones(2)}
    added(total, {"a": torch.ones(2), "b": torch.ones(2)}, -1.0)

    assert total["a"].tolist() == [0, 0]
    assert total["b"].tolist() == [-1, -1]
