"""Each algorithm's meta_step against the same thing in plain torch, in float64."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from article import LanguageModel
from torch import nn, optim

from metalm.config import ALGORITHMS, Adam, Fomaml, InnerLoop, Joint, Reptile, RunConfig, Sequential
from metalm.learn import fomaml, joint, reptile, sequential
from metalm.learn.algorithms import RECIPES, starting_learned
from metalm.learn.inner import OF_ENDS_ALONE
from metalm.learn.learner import Learner
from metalm.learn.stopping import Stopped, never
from metalm.learn.watch import Watch
from metalm.learn.windows import TaskTokens, draw_batch, draw_episode, draw_streams

INNER = InnerLoop(steps=3, lr=0.7, batch=2, window=8, clip=0.5)


@pytest.fixture
def model(model):
    return model.double()


@pytest.fixture
def watch(tokenizer):
    return Watch(1, tokenizer, never)


@pytest.fixture
def tasks():
    rng = np.random.default_rng(0)
    return [TaskTokens(name, name, 400, rng.integers(97, 103, size=400)) for name in ("one", "two")]


def episodes_of(tasks, config):
    return [draw_episode(task, config, np.random.default_rng(5)) for task in tasks]


PARTS = ("support", "query")


class Keeper(Learner):
    """A learner that keeps the way it would go."""

    def descend(self, gradient, watch):  # noqa: ARG002
        self.kept = gradient

    def move(self, way, share, watch):  # noqa: ARG002
        self.kept = {name: part * share for name, part in way.items()}


class Recorder(Learner):
    """A learner that keeps the gradient instead of going down it."""

    def descend(self, gradient, watch):
        watch.settle()
        self.gradient = gradient


def plain_loss(model, windows_BT):
    """Mean nats of a batch, written with the module itself and its own parameters."""
    logits_TBV, _ = model(windows_BT.T[:-1])
    return nn.CrossEntropyLoss()(logits_TBV.reshape(-1, 256), windows_BT.T[1:].reshape(-1))


def plainly_adapted(model, episode, inner):
    """A copy of the model after plain SGD steps with torch's own clipping."""
    fast = copy.deepcopy(model)
    optimizer = optim.SGD(fast.parameters(), lr=inner.lr)
    for step in range(inner.steps):
        optimizer.zero_grad()
        plain_loss(fast, episode.support.batch(step, inner.batch)).backward()
        total = torch.sqrt(sum((p.grad**2).sum() for p in fast.parameters()))
        for parameter in fast.parameters():
            parameter.grad.mul_(min(1.0, inner.clip / float(total)))
        optimizer.step()
    optimizer.zero_grad()
    return fast


@pytest.mark.parametrize("steps", [0, 3])
def test_fomaml_takes_the_query_gradient_at_the_fast_weights(model, tasks, watch, steps):
    config = Fomaml(inner=replace(INNER, steps=steps))
    episodes, learner = episodes_of(tasks, config), Recorder(model, config)
    expected = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    query_nats = []
    for episode in episodes:
        fast = plainly_adapted(model, episode, config.inner)
        loss = plain_loss(fast, episode.query_BT)
        loss.backward()
        query_nats.append(float(loss.detach()) * episode.query_BT[:, 1:].numel())
        for name, parameter in fast.named_parameters():
            expected[name] += parameter.grad / len(episodes)

    fomaml.meta_step(learner, episodes, config, watch)

    for name, gradient in learner.gradient.items():
        assert torch.allclose(gradient, expected[name], atol=1e-12), name
    told = [loss for loss in watch.losses() if loss.part == "query"]
    assert [loss.adaptation_step for loss in told] == [steps, steps]
    assert [loss.nats for loss in told] == pytest.approx(query_nats)


def test_fomaml_matches_finite_differences_around_the_fast_weights(model, tasks, watch):
    config = Fomaml(inner=INNER)
    episodes, learner = episodes_of(tasks, config), Recorder(model, config)
    fomaml.meta_step(learner, episodes, config, watch)
    fast = [plainly_adapted(model, episode, INNER) for episode in episodes]

    for name, gradient in learner.gradient.items():
        way, tiny = torch.randn_like(gradient), 1e-6
        differences = []
        for net, episode in zip(fast, episodes, strict=True):
            parameter = net.get_parameter(name)
            with torch.no_grad():
                parameter.add_(tiny * way)
                up = float(plain_loss(net, episode.query_BT))
                parameter.sub_(2 * tiny * way)
                down = float(plain_loss(net, episode.query_BT))
                parameter.add_(tiny * way)
            differences.append((up - down) / (2 * tiny))
        assert np.mean(differences) == pytest.approx(float((gradient * way).sum()), abs=1e-7), name


def test_reptile_moves_to_the_mean_of_the_fast_weights(model, tasks, watch):
    config = Reptile(step_size=0.3, final=0.0, inner=INNER)
    episodes, learner = episodes_of(tasks, config), Learner(model, config)
    fast = [dict(plainly_adapted(model, episode, INNER).named_parameters()) for episode in episodes]
    slow = {name: p.detach().clone() for name, p in model.named_parameters()}

    learner.begin(1, 0.5, seed=0)  # half of the budget is used: the step size has halved
    reptile.meta_step(learner, episodes, config, watch)

    for name, weight in learner.weights.items():
        expected = slow[name] + 0.15 * ((fast[0][name] + fast[1][name]) / 2 - slow[name])
        assert torch.allclose(weight, expected, atol=1e-12), name
    assert watch.scalars["step_size"] == pytest.approx(0.15)


def test_reptile_with_one_step_is_sgd_on_the_mean_loss(model, tasks, watch):
    config = Reptile(step_size=1.0, inner=InnerLoop(steps=1, lr=0.7, batch=2, window=8, clip=0.0))
    episodes, learner = episodes_of(tasks, config), Learner(model, config)
    slow = {name: p.detach().clone() for name, p in model.named_parameters()}
    twin = copy.deepcopy(model)
    sum(plain_loss(twin, episode.support.batch(0, 2)) / 2 for episode in episodes).backward()

    reptile.meta_step(learner, episodes, config, watch)

    for name, parameter in twin.named_parameters():
        assert torch.allclose(slow[name] - 0.7 * parameter.grad, learner.weights[name], atol=1e-12), name


def test_reptile_trains_on_support_tokens_only(model, tasks, watch):
    config = Reptile(inner=INNER)
    reptile.meta_step(Learner(model, config), episodes_of(tasks, config), config, watch)

    tokens = {part: sum(loss.tokens for loss in watch.losses() if loss.part == part) for part in PARTS}
    assert (watch.tokens, watch.scored) == (tokens["support"], tokens["query"])


def test_reptile_takes_adam_inside(model, tasks, watch):
    inner = InnerLoop(steps=3, lr=0.01, batch=2, window=8, clip=0.0, optimizer="adam")
    config = Reptile(step_size=1.0, inner=inner)
    [episode], learner = episodes_of(tasks[:1], config), Learner(model, config)
    twin = copy.deepcopy(model)
    optimizer = optim.Adam(twin.parameters(), lr=0.01, betas=(0.0, 0.999))
    for step in range(3):
        optimizer.zero_grad()
        plain_loss(twin, episode.support.batch(step, 2)).backward()
        optimizer.step()

    reptile.meta_step(learner, [episode], config, watch)

    for name, parameter in twin.named_parameters():
        assert torch.allclose(learner.weights[name], parameter, atol=1e-6), name


def test_reptile_mixes_the_joint_gradient_in(model, tasks, watch):
    plain, mixed = (Reptile(step_size=0.5, inner=INNER, joint_weight=weight) for weight in (0.0, 0.2))
    episodes = episodes_of(tasks, plain)
    twin = copy.deepcopy(model)
    sum(plain_loss(twin, episode.support.batch(0, 2)) / 2 for episode in episodes).backward()
    ours = copy.deepcopy(model), copy.deepcopy(model)

    for net, config in zip(ours, (plain, mixed), strict=True):
        reptile.meta_step(Learner(net, config), episodes, config, watch)

    for name, parameter in twin.named_parameters():
        without, including = (net.get_parameter(name) for net in ours)
        assert torch.allclose(including, without - 0.5 * 0.2 * parameter.grad, atol=1e-12), name


@pytest.mark.parametrize("name", ["fomaml", "reptile"])
def test_more_tasks_than_are_computed_at_once_are_a_mean_all_the_same(model, tokenizer, name):
    config = {"fomaml": Fomaml(inner=INNER), "reptile": Reptile(inner=INNER, step_size=1.0)}[name]
    rng = np.random.default_rng(0)
    at_once = OF_ENDS_ALONE * Learner(model, config).engine.tasks_at_once
    many = [TaskTokens(str(n), str(n), 200, rng.integers(97, 103, size=200)) for n in range(at_once + 3)]
    episodes = episodes_of(many, config)
    step = RECIPES[name].meta_step

    def learned_from(episodes):
        learner = Keeper(copy.deepcopy(model), config)
        step(learner, episodes, config, Watch(1, tokenizer, never))
        return learner.kept

    together, alone = learned_from(episodes), [learned_from([episode]) for episode in episodes]

    for part in together:
        expected = torch.stack([each[part] for each in alone]).mean(0)
        assert torch.allclose(together[part], expected, atol=1e-12), part


def test_the_cosine_is_the_mean_over_pairs_of_tasks(model, tasks, tokenizer):
    config = Fomaml(inner=INNER)
    rng = np.random.default_rng(0)
    tasks = [*tasks, TaskTokens("three", "three", 400, rng.integers(0, 256, size=400))]
    episodes = episodes_of(tasks, config)
    rows = []
    for episode in episodes:
        learner = Recorder(model, config)
        fomaml.meta_step(learner, [episode], config, Watch(1, tokenizer, never))
        rows.append(torch.cat([part.flatten() for part in learner.gradient.values()]))
    watch = Watch(1, tokenizer, never)

    fomaml.meta_step(Recorder(model, config), episodes, config, watch)

    pairs = [torch.cosine_similarity(rows[a], rows[b], dim=0) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert watch.scalars["gradient_cosine"] == pytest.approx(float(sum(pairs)) / 3)


def test_tasks_that_do_not_move_have_no_cosine(model, tasks, tokenizer):
    watch = Watch(1, tokenizer, never)
    config = Reptile(inner=replace(INNER, steps=0))

    reptile.meta_step(Learner(model, config), episodes_of(tasks, config), config, watch)

    assert "gradient_cosine" not in watch.scalars


def test_the_norms_of_adaptation_are_told_for_each_step(model, tasks, watch):
    config = Fomaml(inner=replace(INNER, steps=2))
    episodes = episodes_of(tasks, config)
    norms = []
    for episode in episodes:
        twin = copy.deepcopy(model)
        plain_loss(twin, episode.support.batch(0, 2)).backward()
        norms.append(float(torch.sqrt(sum((p.grad**2).sum() for p in twin.parameters()))))

    fomaml.meta_step(Recorder(model, config), episodes, config, watch)

    first, second = watch.measures()
    assert (first.name, first.adaptation_step, second.adaptation_step) == ("inner_gradient_norm", 0, 1)
    assert first.value == pytest.approx(sum(norms) / 2)


@pytest.mark.parametrize(
    ("name", "products"),
    [("maml", 3), ("fomaml", 0), ("reptile", 0), ("anil", 3), ("maml++", 0), ("cavia", 3)],
)
def test_hessian_products_are_counted(model, tasks, watch, name, products):
    config = ALGORITHMS[name]()
    config = replace(config, inner=replace(config.inner, steps=3, batch=2, window=8))
    learner = Learner(model, config, starting_learned(RunConfig(algorithm=config), model))

    RECIPES[name].meta_step(learner, episodes_of(tasks, config), config, watch)

    assert watch.hessian_tokens == 2 * products * 2 * 8


def test_joint_descends_the_mean_over_all_windows(model, tasks, watch):
    config = Joint(batch=3, window=8)
    batches = [draw_batch(task, config, np.random.default_rng(5)) for task in tasks]
    learner, twin = Recorder(model, config), copy.deepcopy(model)
    plain_loss(twin, torch.cat([batch.windows_BT for batch in batches])).backward()

    joint.meta_step(learner, batches, config, watch)

    for name, parameter in twin.named_parameters():
        assert torch.allclose(learner.gradient[name], parameter.grad, atol=1e-12), name
    for batch, loss in zip(batches, watch.losses(), strict=True):
        assert loss.task_id == batch.task_id
        assert loss.nats == pytest.approx(float(plain_loss(model, batch.windows_BT).detach()) * loss.tokens)


def meta_train(model, tasks, optimizer, device):
    """The article's function with its two repairs, marked."""
    for task in tasks:
        hidden = None
        for x, y in task:
            output, hidden = model(x.to(device), hidden)
            hidden = hidden.detach()  # repaired
            loss = nn.CrossEntropyLoss()(output.flatten(0, 1), y.to(device).flatten())  # repaired
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def test_sequential_is_the_articles_loop(model, tasks, watch):
    config = Sequential(batches=4, batch=3, window=8, optimizer=Adam(lr=1e-3))
    visits = [draw_streams(task, config, np.random.default_rng(5)) for task in tasks]
    theirs = LanguageModel(256, 3, 5).double()
    theirs.load_state_dict(model.state_dict(), strict=True)
    batches = [[(part.T[:-1], part.T[1:]) for part in visit.batches()] for visit in visits]
    meta_train(theirs, batches, optim.Adam(theirs.parameters()), torch.device("cpu"))

    sequential.meta_step(Learner(model, config), visits, config, watch)

    for name, parameter in theirs.named_parameters():
        assert torch.allclose(model.get_parameter(name), parameter, atol=1e-12), name
    assert [loss.tokens for loss in watch.losses()] == [4 * 3 * 8] * 2


def test_a_visit_of_sequential_that_is_cut_off_leaves_no_trace(model, tasks, tokenizer):
    config = Sequential(batches=4, batch=3, window=8)
    learner = Learner(model, config)
    visits = [draw_streams(tasks[0], config, np.random.default_rng(5))]
    before = {name: tensor.clone() for name, tensor in learner.tensors().items()}
    flags = iter([False, False, True])

    with pytest.raises(Stopped):
        sequential.meta_step(learner, visits, config, Watch(1, tokenizer, lambda: next(flags)))

    assert learner.tensors().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.tensors().items())
