"""Every algorithm's outer gradient against its paper's formula, unrolled by autograd on nn.GRU."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from metalm.config import (
    Anil,
    Cavia,
    Fomaml,
    Imaml,
    InnerLoop,
    Maml,
    MamlPlusPlus,
    MetaSgd,
    ModelConfig,
    RunConfig,
)
from metalm.learn.algorithms import RECIPES, starting_learned
from metalm.learn.inner import SupportSet
from metalm.learn.learner import Learner
from metalm.learn.maml_plus_plus import loss_shares
from metalm.learn.rules import CONTEXT, FISHER, RATE
from metalm.learn.stopping import never
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.engines import engine_for
from metalm.model.gru import new_model
from metalm.model.reference import ReferenceEngine
from metalm.text.tokenizers import ByteTokenizer

VOCABULARY = 7
CONFIGS = {
    "fomaml": Fomaml(),
    "maml": Maml(),
    "anil": Anil(),
    "anil with its embedding": Anil(inner=InnerLoop(adapts="head+embedding")),
    "first-order anil": Anil(first_order=True),
    "meta-sgd": MetaSgd(),
    "first-order meta-sgd": MetaSgd(first_order=True),
    "maml++": MamlPlusPlus(msl=0.8, first_order_share=0.1),
    "maml++ at first": MamlPlusPlus(msl=0.8, first_order_share=0.9),
    "cavia": Cavia(context=3),
    "first-order cavia": Cavia(context=3, first_order=True),
}
PROGRESS = 0.5


class Recorder(Learner):
    """A learner that keeps the gradient instead of going down it."""

    def descend(self, gradient, watch):
        watch.settle()
        self.gradient = gradient


def outer_gradient(model, config, episodes, learned=None, progress=PROGRESS, engine=None):
    """What an algorithm would descend."""
    learner = Recorder(model, config, {name: tensor.clone() for name, tensor in (learned or {}).items()})
    learner.engine = engine or learner.engine
    learner.progress = progress
    RECIPES[config.name].meta_step(learner, episodes, config, Watch(1, ByteTokenizer(), never))
    return learner.gradient


def learned_of(model, config, seed=0):
    """What the algorithm learns, away from where it starts."""
    generator = torch.Generator().manual_seed(seed)
    learned = starting_learned(RunConfig(algorithm=config), model)
    return {
        name: (tensor + 0.3 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))
        for name, tensor in learned.items()
    }


def plain_loss(model, weights, windows_BT):
    logits_TBV, _ = functional_call(model, weights, (windows_BT.T[:-1],))
    return cross_entropy(logits_TBV.flatten(0, 1), windows_BT.T[1:].flatten())


def unrolled(model, config, episodes, learned, progress=PROGRESS):
    """The outer objective's gradient by autograd through every step, as the papers write it."""
    theta = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    extra = {
        name: tensor.clone().requires_grad_(not name.startswith(FISHER)) for name, tensor in learned.items()
    }
    objective = sum(_objective(model, config, episode, theta, extra, progress) for episode in episodes)
    asked = {**theta, **{name: t for name, t in extra.items() if t.requires_grad}}
    parts = torch.autograd.grad(objective / len(episodes), list(asked.values()), materialize_grads=True)
    return dict(zip(asked, parts, strict=True))


def _objective(model, config, episode, theta, extra, progress):
    inner, total = config.inner, 0.0
    first_order = getattr(config, "first_order", config.name == "fomaml")
    shares = [1.0]
    if config.name == "maml++":
        first_order = progress < config.first_order_share
        shares = loss_shares(inner.steps, progress, config.msl)
    if inner.adapts == "context":
        start = {CONTEXT: theta["linear.bias"].new_zeros(config.context, requires_grad=True)}
    else:
        start = {name: theta[name] for name in adapting(theta, inner.adapts)}

    def placed(point):
        if inner.adapts != "context":
            return {**theta, **point}
        shift = theta["rnn.weight_ih_l0"] @ extra[CONTEXT] @ point[CONTEXT]
        return {**theta, "rnn.bias_ih_l0": theta["rnn.bias_ih_l0"] + shift}

    point = start
    for step in range(inner.steps + 1):
        judged = step - (inner.steps + 1 - len(shares))
        if judged >= 0:
            total = total + shares[judged] * plain_loss(model, placed(point), episode.query_BT)
        if step == inner.steps:
            break
        loss = plain_loss(model, placed(point), episode.support.batch(step, inner.batch))
        if step == 0:
            total = total + config.joint_weight * loss
        gradients = torch.autograd.grad(loss, list(point.values()), create_graph=True)
        if first_order:
            gradients = [gradient.detach() for gradient in gradients]
        norm = torch.sqrt(sum((gradient.detach() ** 2).sum() for gradient in gradients))
        factor = min(1.0, inner.clip / float(norm)) if inner.clip else 1.0
        point = {
            name: stepped(name, weight, start[name], factor * gradient, inner, extra, step)
            for (name, weight), gradient in zip(point.items(), gradients, strict=True)
        }
    return total


def stepped(name, weight, start, gradient, inner, extra, step):
    rates = extra.get(RATE + name)
    rate = inner.lr if rates is None else inner.lr * rates[min(step, len(rates) - 1)]
    pull = inner.lr * inner.proximal * extra.get(FISHER + name, 1.0)
    return (weight - rate * gradient + pull * start) / (1 + pull)


def adapting(weights, adapts):
    return {
        "all": list(weights),
        "head": [n for n in weights if n.startswith("linear.")],
        "head+embedding": [n for n in weights if not n.startswith("rnn.")],
        "biases": [n for n in weights if "bias" in n],
    }[adapts]


def episode_of(seed, num_support, num_query, window):
    rng = np.random.default_rng(seed)

    def windows(count):
        return torch.from_numpy(rng.integers(VOCABULARY, size=(count, window + 1)))

    return Episode(str(seed), f"task {seed}", SupportSet(windows(num_support)), windows(num_query))


def assert_close(found, expected, rel=1e-10):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        error = float(torch.linalg.vector_norm(found[name] - gradient))
        assert error <= rel * max(1.0, float(torch.linalg.vector_norm(gradient))), (name, error)


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=12)
@given(data=st.data())
def test_the_outer_gradient_is_that_of_the_unrolled_formula(name, data):
    draw = data.draw
    config = CONFIGS[name]
    choices = [config.inner.adapts] if config.inner.adapts != "all" else ["all", "all", "biases", "head"]
    proximal = draw(st.sampled_from([0.0, 0.7]))
    inner = replace(
        config.inner,
        steps=draw(st.integers(0, 3)),
        lr=draw(st.sampled_from([0.1, 0.8])),
        batch=draw(st.integers(1, 3)),
        window=draw(st.integers(1, 5)),
        clip=draw(st.sampled_from([0.0, 0.05, 1.0])),
        adapts=draw(st.sampled_from(choices)),
        proximal=proximal,
        fisher=proximal > 0 and config.name != "cavia" and draw(st.booleans()),
    )
    joint_weight = draw(st.sampled_from([0.0, 0.5])) if inner.steps else 0.0
    config = replace(config, inner=inner, joint_weight=joint_weight)
    sizes = ModelConfig(embedding=3, hidden=draw(st.integers(1, 4)), layers=draw(st.integers(1, 2)))
    model = new_model(sizes, VOCABULARY, seed=draw(st.integers(0, 5))).double()
    learned = learned_of(model, config)
    # More tasks than are computed at once; support sets of different sizes, some masked, some read again.
    num_tasks = draw(st.sampled_from([1, 2, 3, 9]))
    episodes = [
        episode_of(seed, draw(st.integers(1, 4)), draw(st.integers(1, 3)), inner.window)
        for seed in range(num_tasks)
    ]

    engine = draw(st.sampled_from([engine_for(model), ReferenceEngine(model)]))

    found = outer_gradient(model, config, episodes, learned, engine=engine)

    expected = unrolled(model, config, episodes, learned)
    if inner.steps == 0:
        # No rate has been used: there is no gradient by it.
        expected = {name: part for name, part in expected.items() if not name.startswith(RATE)}
    assert_close(found, expected)


@pytest.fixture
def model():
    return new_model(ModelConfig(embedding=3, hidden=4), VOCABULARY, seed=1).double()


@pytest.fixture
def episodes():
    return [episode_of(seed, 4, 2, 5) for seed in range(3)]


INNER = InnerLoop(steps=2, lr=0.4, batch=2, window=5)
EPISODIC = {**CONFIGS, "imaml": Imaml()}


@pytest.mark.parametrize("name", EPISODIC)
def test_without_steps_it_is_the_query_gradient_at_the_slow_weights(name, model, episodes):
    config = replace(EPISODIC[name], inner=replace(EPISODIC[name].inner, steps=0, window=5))
    theta = {n: p.detach().clone().requires_grad_() for n, p in model.named_parameters()}
    loss = sum(plain_loss(model, theta, episode.query_BT) for episode in episodes) / len(episodes)
    expected = dict(zip(theta, torch.autograd.grad(loss, list(theta.values())), strict=True))

    found = outer_gradient(model, config, episodes, learned_of(model, config))

    assert_close({name: found[name] for name in theta}, expected)


@pytest.mark.parametrize("name", ["maml", "meta-sgd", "maml++"])
def test_at_a_rate_of_zero_it_is_the_query_gradient_at_the_slow_weights(name, model, episodes):
    config = replace(EPISODIC[name], inner=replace(INNER, lr=0.0))
    found = outer_gradient(model, config, episodes, learned_of(model, config))
    still = outer_gradient(model, Maml(inner=replace(INNER, steps=0)), episodes)

    assert_close({name: found[name] for name in still}, still)


@pytest.mark.parametrize("name", CONFIGS)
def test_in_float32_it_is_as_near_as_autograd_is(name, model, episodes):
    config = replace(CONFIGS[name], inner=replace(CONFIGS[name].inner, steps=3, lr=0.4, batch=2, window=5))
    learned = learned_of(model, config)
    exact = unrolled(model, config, episodes, learned)
    model.float()
    learned = {name: tensor.float() for name, tensor in learned.items()}

    ours, theirs = (of(model, config, episodes, learned) for of in (outer_gradient, unrolled))

    def error(found):
        return math.sqrt(sum(float((found[n].double() - exact[n]).square().sum()) for n in exact))

    assert error(ours) <= 2 * error(theirs) + 1e-8


def test_first_order_meta_sgd_with_constant_rates_is_fomaml(model, episodes):
    config = MetaSgd(inner=INNER, first_order=True)
    rates = starting_learned(RunConfig(algorithm=config), model)

    found = outer_gradient(model, config, episodes, rates)

    expected = outer_gradient(model, Fomaml(inner=INNER), episodes)
    assert_close({name: found[name] for name in expected}, expected)


def test_maml_plus_plus_after_its_annealing_is_maml(model, episodes):
    config = MamlPlusPlus(inner=INNER, msl=0.3, first_order_share=0.3)
    rates = starting_learned(RunConfig(algorithm=config), model)

    found = outer_gradient(model, config, episodes, rates, progress=0.4)

    expected = outer_gradient(model, Maml(inner=INNER), episodes)
    assert_close({name: found[name] for name in expected}, expected)


def test_an_infinite_pull_leaves_the_query_gradient_at_the_slow_weights(model, episodes):
    config = Maml(inner=replace(INNER, proximal=1e6))
    still = outer_gradient(model, Maml(inner=replace(INNER, steps=0)), episodes)

    assert_close(outer_gradient(model, config, episodes), still, rel=1e-4)


def test_a_map_of_zeros_hides_the_context(model, episodes):
    config = Cavia(context=3, inner=replace(INNER, adapts="context"))
    zeros = {CONTEXT: torch.zeros(3, 3).double()}

    found = outer_gradient(model, config, episodes, zeros)

    still = outer_gradient(model, Maml(inner=replace(INNER, steps=0)), episodes)
    assert_close({name: found[name] for name in still}, still)


@pytest.mark.parametrize("name", ["maml", "meta-sgd", "cavia"])
def test_it_matches_finite_differences(name, model, episodes):
    # Without clipping, whose factor is held constant and so has no finite difference.
    config = replace(EPISODIC[name], inner=replace(EPISODIC[name].inner, steps=2, lr=0.4, window=5, clip=0.0))
    learned = learned_of(model, config)
    found = outer_gradient(model, config, episodes, learned)
    theta = {n: p.detach().clone() for n, p in model.named_parameters()}

    def objective(tensors):
        at = {n: tensors[n] for n in theta}, {n: tensors[n] for n in learned}
        return sum(float(_objective(model, config, e, *_leaves(*at), 0.5).detach()) for e in episodes) / 3

    tensors = {**theta, **learned}
    for which, tensor in tensors.items():
        way, tiny = torch.randn_like(tensor), 1e-5
        up, down = (objective({**tensors, which: tensor + sign * tiny * way}) for sign in (1, -1))
        slope = float((found[which] * way).sum())
        assert (up - down) / (2 * tiny) == pytest.approx(slope, rel=1e-5, abs=1e-7), which


def _leaves(*parts):
    return [{name: tensor.clone().requires_grad_() for name, tensor in part.items()} for part in parts]


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, [1 / 3] * 3), (0.2, [1 / 6, 1 / 6, 4 / 6]), (0.4, [0, 0, 1]), (0.9, [0, 0, 1])],
)
def test_the_losses_of_earlier_steps_fade_out(progress, expected):
    assert loss_shares(3, progress, 0.4) == pytest.approx(expected)


def test_without_a_multi_step_loss_the_last_step_alone_is_judged():
    assert loss_shares(3, 0.0, 0.0) == [0, 0, 1]
    assert loss_shares(0, 0.0, 0.5) == [1]
    assert math.isclose(sum(loss_shares(7, 0.1, 0.5)), 1)
