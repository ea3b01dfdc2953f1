from dataclasses import replace

import pytest
import torch

from metalm.config import AdamW, Fomaml, Joint, MetaSgd, Sequential
from metalm.errors import ConfigError, DivergedError
from metalm.learn.learner import Learner
from metalm.learn.optimizers import step_size
from metalm.learn.rules import FISHER, RATE
from metalm.learn.stopping import never
from metalm.learn.watch import Watch
from metalm.model.gru import new_model


@pytest.fixture
def watch(tokenizer):
    return Watch(7, tokenizer, never)


def gradient_of(learner, value=1.0):
    return {name: torch.full_like(weight, value) for name, weight in learner.weights.items()}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def copied(tensors):
    return {name: tensor.clone() for name, tensor in tensors.items()}


def test_the_rate_warms_up_then_follows_a_cosine_over_the_budget():
    config = AdamW(lr=1.0, warmup=4, final=0.2)

    assert step_size(config, 1, 0.0) == pytest.approx(0.25)
    assert step_size(config, 4, 0.0) == pytest.approx(1.0)
    assert step_size(config, 50, 0.5) == pytest.approx(0.6)
    assert step_size(config, 99, 1.0) == pytest.approx(0.2)


def test_a_long_gradient_is_clipped_as_plain_torch_does_it(model, watch):
    learner = Learner(model, Joint(optimizer=AdamW(lr=0.1, warmup=0, clip=0.5)))
    twin = {name: weight.detach().clone().requires_grad_() for name, weight in learner.weights.items()}
    optimizer = torch.optim.AdamW(twin.values(), lr=0.1, weight_decay=0.01)
    for weight in twin.values():
        weight.grad = torch.ones_like(weight)
    torch.nn.utils.clip_grad_norm_(twin.values(), 0.5)
    optimizer.step()

    learner.begin(1, 0.0, seed=0)
    learner.descend(gradient_of(learner), watch)

    assert all(torch.allclose(weight, twin[name], atol=1e-5) for name, weight in learner.weights.items())
    assert watch.scalars["gradient_norm"] == pytest.approx(sum(w.numel() for w in twin.values()) ** 0.5)
    assert watch.scalars["lr"] == 0.1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nothing(model, watch, value):
    learner = Learner(model, Fomaml())
    learner.descend(gradient_of(learner), watch)
    before = copied(learner.tensors())

    with pytest.raises(DivergedError, match="gradient_norm must be finite, got (nan|inf) in outer step 7"):
        learner.descend(gradient_of(learner, value), watch)

    assert same(before, learner.tensors())


def test_what_was_begun_and_not_completed_is_undone(model, watch):
    learner = Learner(model, Sequential())
    learner.descend(gradient_of(learner), watch)
    before = copied(learner.tensors())

    with pytest.raises(DivergedError), learner.undone_unless_completed():  # noqa: PT012
        learner.descend(gradient_of(learner), watch)
        learner.descend(gradient_of(learner, float("nan")), watch)
    assert same(before, learner.tensors())

    with learner.undone_unless_completed():
        learner.descend(gradient_of(learner), watch)
    assert not same(before, learner.tensors())


def test_a_learner_goes_on_from_its_tensors_as_if_nothing_had_been(model, watch):
    learner = Learner(model, Joint())
    learner.descend(gradient_of(learner), watch)
    kept = copied(learner.tensors())
    learner.descend(gradient_of(learner, -2.0), watch)
    expected = copied(learner.tensors())

    learner.restore(kept)
    learner.descend(gradient_of(learner, -2.0), watch)

    assert same(expected, learner.tensors())


def test_tensors_of_another_model_are_refused(model):
    learner = Learner(model, Joint())
    tensors = learner.tensors()

    with pytest.raises(ConfigError, match=r"the checkpoint must hold linear.bias of shape \(256,\)"):
        learner.restore({**tensors, "linear.bias": torch.zeros(3)})


def learned_of():
    """Rates of one weight, and a Fisher information."""
    return {RATE + "linear.bias": torch.ones(2, 1), FISHER + "linear.bias": torch.ones(256)}


def test_what_is_learned_moves_with_the_weights_and_is_not_decayed(model, watch):
    learner = Learner(model, MetaSgd(optimizer=AdamW(lr=0.1, warmup=0, weight_decay=0.5)), learned_of())
    before = copied(learner.values())
    name = RATE + "linear.bias"
    gradient = {**gradient_of(learner, 0.0), name: torch.tensor([[1.0], [0.0]])}

    learner.begin(1, 0.0, seed=0)
    learner.descend(gradient, watch)

    # Without a gradient a weight decays by 0.1 x 0.5 of itself, a rate stays.
    assert torch.allclose(learner.weights["linear.bias"], 0.95 * before["linear.bias"])
    assert learner.learned[name].tolist() == [[pytest.approx(0.9)], [1.0]]
    assert torch.equal(learner.learned[FISHER + "linear.bias"], torch.ones(256))
    assert not any(tensor.requires_grad for tensor in learner.rule(MetaSgd().inner).learned.values())


def test_what_has_no_gradient_stays(model, watch):
    learner = Learner(model, MetaSgd(), learned_of())
    before = copied(learner.learned)

    learner.begin(1, 0.0, seed=0)
    learner.descend(gradient_of(learner), watch)

    assert same(before, learner.learned)


def test_what_is_learned_is_part_of_the_tensors(model, watch):
    learner = Learner(model, MetaSgd(), learned_of())
    gradient = {**gradient_of(learner), RATE + "linear.bias": torch.ones(2, 1)}
    learner.begin(1, 0.0, seed=0)
    learner.descend(gradient, watch)
    kept = copied(learner.tensors())
    assert {"learned/rate/linear.bias", "optimizer/learned/rate/linear.bias/exp_avg"} <= kept.keys()
    learner.descend(gradient, watch)
    expected = copied(learner.tensors())

    learner.restore(kept)
    assert same(kept, learner.tensors())
    learner.descend(gradient, watch)

    assert same(expected, learner.tensors())


def test_a_warm_start_takes_over_what_fits(model):
    learner = Learner(model, MetaSgd(), learned_of())
    rate, fisher = RATE + "linear.bias", FISHER + "linear.bias"

    learner.start_from(
        {name: torch.zeros_like(weight) for name, weight in learner.weights.items()},
        {rate: torch.full((5, 1), 3.0), fisher: torch.full((256,), 2.0), "context": torch.ones(3, 4)},
    )

    assert not any(weight.any() for weight in learner.weights.values())
    assert torch.equal(learner.learned[rate], torch.ones(2, 1))  # of another number of steps
    assert torch.equal(learner.learned[fisher], torch.full((256,), 2.0))
    assert "context" not in learner.learned


def test_dropout_seeds_follow_from_seed_step_task_and_call(model):
    def seeds(dropout, seed, step, first=0, tasks=2, call=0):
        config = replace(model.config, dropout=dropout)
        learner = Learner(new_model(config, 256, seed=1), Fomaml())
        learner.begin(step, 0.0, seed)
        return learner.dropout_seeds(first, tasks, call)

    assert seeds(0.0, 1, 1) is None
    assert seeds(0.5, 1, 1) == seeds(0.5, 1, 1)
    # However many tasks are side by side.
    assert seeds(0.5, 1, 1) == [seeds(0.5, 1, 1, first, 1)[0] for first in (0, 1)]
    draws = [
        number
        for place in ((1, 1), (1, 2), (2, 1))
        for call in (0, 1)
        for number in seeds(0.5, *place, call=call)
    ]
    assert len(set(draws)) == 12
