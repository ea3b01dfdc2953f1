"""The implicit gradient against a dense linear solve on a tiny network, in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from metalm.config import Fomaml, Imaml, InnerLoop, ModelConfig, RunConfig
from metalm.learn.algorithms import RECIPES, starting_learned
from metalm.learn.imaml import implicit_gradient
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.learner import Learner
from metalm.learn.rules import FISHER, Rule
from metalm.learn.stopping import never
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.engines import engine_for
from metalm.model.gru import new_model
from metalm.model.task_weights import of_task, shared
from metalm.text.tokenizers import ByteTokenizer

VOCABULARY = 5
INNER = InnerLoop(steps=3, lr=0.3, batch=2, window=6, proximal=2.0)


class Recorder(Learner):
    """A learner that keeps the gradient instead of going down it."""

    def descend(self, gradient, watch):
        watch.settle()
        self.gradient = gradient


@pytest.fixture
def model():
    return new_model(ModelConfig(embedding=2, hidden=2), VOCABULARY, seed=1).double()


@pytest.fixture
def episodes():
    rng = np.random.default_rng(0)

    def windows(count):
        return torch.from_numpy(rng.integers(VOCABULARY, size=(count, 7)))

    # The second support set is shorter: it is read in a circle, and masked where both stand side by side.
    return [Episode(str(n), f"task {n}", SupportSet(windows(n)), windows(2)) for n in (6, 3)]


def outer_gradient(model, config, episodes, learned=None):
    learner = Recorder(model, config, {name: tensor.clone() for name, tensor in (learned or {}).items()})
    watch = Watch(1, ByteTokenizer(), never)
    RECIPES[config.name].meta_step(learner, episodes, config, watch)
    return learner.gradient, watch


def plain_loss(model, weights, windows_BT):
    logits_TBV, _ = functional_call(model, weights, (windows_BT.T[:-1],))
    return cross_entropy(logits_TBV.flatten(0, 1), windows_BT.T[1:].flatten())


def dense_gradient(model, config, episode, learned, adapting):
    """(H + lambda F)^-1 by a dense solve, at the fast weights of one task."""
    slow = {name: p.detach() for name, p in model.named_parameters()}
    rule = Rule(config.inner, learned)
    fast = of_task(adapt(engine_for(model), shared(slow, 1), [episode.support], rule), 0)
    names, sizes = list(slow), [weight.numel() for weight in slow.values()]
    flat = torch.cat([fast[name].flatten() for name in names])

    def loss(flat, windows):
        parts = flat.split(sizes)
        weights = {n: part.view(slow[n].shape) for n, part in zip(names, parts, strict=True)}
        return plain_loss(model, weights, windows)

    hessian = torch.autograd.functional.hessian(lambda x: loss(x, episode.support.windows_NT), flat)
    leaf = flat.clone().requires_grad_()
    (q,) = torch.autograd.grad(loss(leaf, episode.query_BT), leaf)
    moves = torch.cat(
        [torch.full((size,), name in adapting) for name, size in zip(names, sizes, strict=True)]
    )
    pull = torch.cat(
        [torch.as_tensor(rule.pull(name)).to(flat).expand(slow[name].shape).flatten() for name in names]
    )[moves]
    y = torch.linalg.solve(hessian[moves][:, moves] + torch.diag(pull), q[moves])
    found = q - hessian[:, moves] @ y
    found[moves] = pull * y
    return {n: part.view(slow[n].shape) for n, part in zip(names, found.split(sizes), strict=True)}


@pytest.mark.parametrize("adapts", ["all", "head", "biases"])
@pytest.mark.parametrize("fisher", [False, True])
def test_many_conjugate_gradients_are_a_dense_solve(model, episodes, adapts, fisher):
    # The pull outweighs the curvature, so that the system is positive definite.
    config = Imaml(inner=replace(INNER, adapts=adapts, fisher=fisher), cg_steps=60)
    learned = starting_learned(RunConfig(algorithm=config), model)
    learned = {name: tensor + torch.rand_like(tensor) for name, tensor in learned.items()}

    found, _ = outer_gradient(model, config, episodes, learned)

    adapting = Rule(config.inner).adapting(dict(model.named_parameters()))
    dense = [dense_gradient(model, config, episode, learned, adapting) for episode in episodes]
    for name, gradient in found.items():
        expected = (dense[0][name] + dense[1][name]) / 2
        assert torch.linalg.vector_norm(gradient - expected) < 1e-10, name


def test_without_conjugate_gradients_it_is_first_order(model, episodes):
    found, watch = outer_gradient(model, Imaml(inner=INNER, cg_steps=0), episodes)

    expected, _ = outer_gradient(model, Fomaml(inner=INNER), episodes)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())
    assert watch.hessian_tokens == 0


def test_an_infinite_pull_is_first_order_at_the_slow_weights(model, episodes):
    found, _ = outer_gradient(model, Imaml(inner=replace(INNER, proximal=1e6)), episodes)

    still, _ = outer_gradient(model, Fomaml(inner=replace(INNER, steps=0)), episodes)
    assert all(torch.allclose(found[name], gradient, atol=1e-5) for name, gradient in still.items())


def test_it_comes_nearer_with_every_step(model, episodes):
    exact, _ = outer_gradient(model, Imaml(inner=INNER, cg_steps=60), episodes)
    errors = []
    for steps in (0, 1, 3, 6):
        found, _ = outer_gradient(model, Imaml(inner=INNER, cg_steps=steps), episodes)
        errors.append(float(sum((found[name] - exact[name]).square().sum() for name in exact)))

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 100


def test_a_search_ends_where_the_objective_curves_down():
    query = {"w": torch.tensor([[1.0, 2.0]])}
    rule = Rule(InnerLoop(proximal=1.0))

    found = implicit_gradient(lambda way: {"w": -5 * way["w"]}, query, query, rule, 4)

    assert torch.equal(found["w"], query["w"])


def test_each_conjugate_gradient_is_counted(model, episodes):
    _, watch = outer_gradient(model, Imaml(inner=INNER, cg_steps=3), episodes)

    # One for the first residual; whole support sets: 6 + 3 windows of 6 tokens.
    assert watch.hessian_tokens == 4 * 9 * 6


def test_the_fisher_information_is_a_running_mean_of_squared_gradients_of_mean_one(model, episodes):
    config = Imaml(inner=replace(INNER, fisher=True))
    learner = Recorder(model, config, starting_learned(RunConfig(algorithm=config), model))
    squares = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for episode in episodes:
        theta = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
        loss = plain_loss(model, theta, episode.support.batch(0, 2))
        for name, part in zip(theta, torch.autograd.grad(loss, list(theta.values())), strict=True):
            squares[name] += part**2
    mean = torch.cat([part.flatten() for part in squares.values()]).mean()

    RECIPES["imaml"].meta_step(learner, episodes, config, Watch(1, ByteTokenizer(), never))

    for name, part in squares.items():
        assert torch.allclose(learner.learned[FISHER + name], 0.95 + 0.05 * part / mean), name
    everything = torch.cat([tensor.flatten() for tensor in learner.learned.values()])
    assert float(everything.mean()) == pytest.approx(1)
