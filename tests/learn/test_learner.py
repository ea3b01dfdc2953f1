import pytest
import torch

from metalm.config import AdamW, Fomaml, Joint, Sequential
from metalm.errors import ConfigError, DivergedError
from metalm.learn.learner import Learner
from metalm.learn.optimizers import step_size
from metalm.learn.stopping import never
from metalm.learn.watch import Watch


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
