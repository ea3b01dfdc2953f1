from dataclasses import replace

import numpy as np
import pytest
import torch

from metalm.errors import ConfigError, DivergedError, SplitError
from metalm.learn.posterior import Posterior, empirical_fisher, experts_of
from metalm.learn.stopping import Stopped
from metalm.learn.windows import TaskTokens
from metalm.model.engines import engine_for
from metalm.model.fast_weights import run, slow_weights

SETTINGS = Posterior(steps=12, lr=0.5, batch=2, window=8, precision=10.0, fisher_windows=11)
TEXTS = {
    "de": "Der Bär läuft über die Straße und trinkt süßen Tee. ",
    "el": "Η αρκούδα περπατά στον δρόμο. ",
    "ja": "猫も犬も雨を見ている。",
}


@pytest.fixture
def tasks():
    """Three scripts, of different lengths."""
    return [
        TaskTokens(f"{name}-id", name, 0, np.frombuffer(text.encode() * (20 + 7 * n), np.uint8))
        for n, (name, text) in enumerate(TEXTS.items())
    ]


@pytest.fixture
def make(model, tasks):
    """A function: the experts of some of the tasks; settings are those of `Posterior`."""

    def build(of=None, *, seed=0, **settings):
        chosen = tasks if of is None else of
        return experts_of(model, slow_weights(model), chosen, replace(SETTINGS, **settings), seed=seed)

    return build


def same(left, right, rel=0.0):
    return all(torch.allclose(left[name], right[name], rtol=rel, atol=rel) for name in left | right)


def cut(model, weights, ids):
    """Nats per token of a text that is read in windows of 8, each from the zero state."""
    tokens = torch.from_numpy(ids[: len(ids) // 9 * 9].reshape(-1, 9).astype(np.int64))
    logits, _ = run(model, weights, tokens[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def test_an_expert_is_better_at_its_own_task_than_the_slow_weights_and_the_other_experts(make, model, tasks):
    experts = make(precision=0.01)
    for number, task in enumerate(tasks):
        nats = [float(cut(model, experts.component(n), task.ids)) for n in range(len(tasks))]
        assert int(np.argmin(nats)) == number
        assert nats[number] < float(cut(model, slow_weights(model), task.ids))


def test_it_ends_where_the_loss_and_the_prior_are_at_rest(model):
    # One window is the whole text, so that descent meets the same loss at each step.
    ids = np.frombuffer(b"abcabdabe", np.uint8)
    settings = Posterior(steps=1000, lr=0.3, batch=1, window=8, precision=2.0, fisher_windows=1)
    slow = slow_weights(model)

    experts = experts_of(model, slow, [TaskTokens("t", "t", 9, ids)], settings)

    leaves = {name: weight.clone().requires_grad_() for name, weight in experts.component(0).items()}
    pull = sum((weight - slow[name]).square().sum() for name, weight in leaves.items())
    objective = len(ids) * cut(model, leaves, ids) + settings.precision / 2 * pull
    rest = torch.autograd.grad(objective, list(leaves.values()))
    begin = {name: weight.clone().requires_grad_() for name, weight in slow.items()}
    first = torch.autograd.grad(len(ids) * cut(model, begin, ids), list(begin.values()))
    length = sum(float(part.square().sum()) for part in first) ** 0.5
    assert sum(float(part.square().sum()) for part in rest) ** 0.5 < 1e-4 * length


def test_the_fisher_information_is_that_of_squared_gradients_by_autograd(model):
    windows = torch.randint(97, 101, (10, 9), generator=torch.Generator().manual_seed(2))
    weights = slow_weights(model)

    found = empirical_fisher(engine_for(model), weights, windows)

    squares = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for tokens in windows:
        leaves = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
        logits, _ = run(model, leaves, tokens[None, :-1])
        summed = torch.nn.functional.cross_entropy(logits[0], tokens[1:], reduction="sum")
        for name, part in zip(leaves, torch.autograd.grad(summed, leaves.values()), strict=True):
            squares[name] += part.square()
    for name, square in squares.items():
        assert torch.allclose(found[name], square / (10 * 8), rtol=1e-4, atol=1e-9)


def test_of_the_output_bias_it_is_the_variance_that_the_model_expects(model):
    # Of a model that is right, E[g^2] of logit v is p_v (1 - p_v), whatever the windows' length.
    weights = {name: torch.zeros_like(weight) for name, weight in slow_weights(model).items()}
    bias = weights["linear.bias"] = torch.linspace(-1, 1, 256)
    p = torch.softmax(bias, 0)
    drawn = torch.multinomial(p.expand(4000, -1), 9, True, generator=torch.Generator().manual_seed(1))

    found = empirical_fisher(engine_for(model), weights, drawn)["linear.bias"]

    assert float(found.sum()) == pytest.approx(float((p * (1 - p)).sum()), rel=0.02)


def test_the_deviation_is_that_of_the_laplace_formula(make, model, tasks):
    [free, tight] = [make(steps=0, precision=precision) for precision in (10.0, 1000.0)]
    for name in free.weights:
        # Of both, n F = 1 / variance - lambda.
        found = [1 / e.deviations[name].double().square() for e in (free, tight)]
        assert torch.allclose(found[1] - found[0], torch.tensor(990.0).double(), rtol=0.02)
    [alone] = [empirical_fisher(engine_for(model), slow_weights(model), w) for w in [one_window(tasks[0])]]
    expert = make([short(tasks[0])], steps=0)
    for name, fisher in alone.items():
        variance = 1 / (9 * fisher + 10.0)
        assert torch.allclose(expert.deviations[name][0].float(), variance.sqrt(), rtol=1e-3)


def short(task):
    return replace(task, ids=task.ids[:9])


def one_window(task):
    return torch.from_numpy(task.ids[:9].astype(np.int64))[None]


def test_no_step_or_an_endless_precision_gives_the_slow_weights(make, model):
    slow = slow_weights(model)
    still, held = make(steps=0), make(precision=1e12)
    for expert in range(3):
        assert same(still.component(expert), slow)
        assert same(held.component(expert), slow, rel=1e-5)
        assert same(held.component(expert, sample=0), slow, rel=1e-5)
    assert all(float(part.max()) < 1.1e-6 for part in held.deviations.values())


def test_the_same_seed_gives_the_same_experts_and_samples(make):
    one, two, other = make(seed=3), make(seed=3), make(seed=4)
    assert same(one.weights, two.weights)
    assert same(one.deviations, two.deviations)
    assert same(one.component(1, 5), two.component(1, 5))
    assert not same(one.weights, other.weights, rel=1e-3)
    assert not same(one.component(1, 5), one.component(1, 6), rel=1e-3)


def test_an_expert_is_the_same_without_the_others(make, tasks):
    together, alone = make(), make([tasks[2]])
    assert same(together.component(2), alone.component(0), rel=1e-5)
    assert same(together.component(2, 1), alone.component(0, 1), rel=1e-3)
    assert (alone.task_ids, alone.names, alone.tokens) == (("ja-id",), ("ja",), (len(tasks[2].ids),))


def test_samples_have_the_posteriors_mean_and_deviation(make):
    experts = make()
    name = "linear.bias"
    drawn = torch.stack([experts.component(0, sample)[name] for sample in range(400)])
    deviation = experts.deviations[name][0].float()
    assert torch.allclose(drawn.mean(0), experts.weights[name][0], atol=5 * float(deviation.max()) / 20)
    assert float((drawn.std(0) / deviation).mean()) == pytest.approx(1.0, abs=0.02)


def test_components_come_expert_after_expert(make):
    experts = make()
    modes, samples = list(experts.components(0)), list(experts.components(2))
    assert [len(modes), len(samples)] == [3, 6]
    assert same(modes[1], experts.component(1))
    assert same(samples[3], experts.component(1, 1))


def test_progress_rises_to_one_and_a_stop_is_honoured(model, tasks):
    shares = []
    weights = slow_weights(model)
    experts_of(model, weights, tasks, SETTINGS, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 12
    with pytest.raises(Stopped):
        experts_of(model, weights, tasks, SETTINGS, should_stop=lambda: True)


def test_the_slow_weights_are_not_changed(make, model):
    before = {name: weight.clone() for name, weight in slow_weights(model).items()}
    make()
    assert same(before, slow_weights(model))


def test_what_cannot_be_an_expert_is_refused(make, tasks):
    with pytest.raises(SplitError, match="experts must have a meta-train task, got none"):
        make([])
    with pytest.raises(SplitError, match="task 'de' has 9 tokens to make an expert of, needs 10"):
        make([short(tasks[0])], window=9)
    with pytest.raises(ConfigError, match=r"posterior.precision must be 0.001 or more, got 0"):
        Posterior(precision=0)


def test_weights_that_diverge_name_their_task(model, tasks):
    broken = {name: weight * torch.inf for name, weight in slow_weights(model).items()}
    with pytest.raises(DivergedError, match="the expert of task 'de' must have finite weights"):
        experts_of(model, broken, tasks, SETTINGS)
