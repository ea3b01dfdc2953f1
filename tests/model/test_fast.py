"""The fast engine equals the reference engine: autograd on nn.GRU."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from metalm.config import ModelConfig
from metalm.model import fast, recurrence
from metalm.model.engine import Windows
from metalm.model.fast import FastEngine
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import GRULM, new_model
from metalm.model.reference import ReferenceEngine
from metalm.model.task_weights import TaskWeights, shared


@st.composite
def cases(draw):
    """(model, weights, windows, direction, threads), in float64."""
    tied = draw(st.booleans())
    hidden = draw(st.integers(1, 20))
    embedding = hidden if tied else draw(st.integers(1, 6))
    share = draw(st.sampled_from([0.0, 0.0, 0.3]))
    config = ModelConfig(
        embedding=embedding, hidden=hidden, layers=draw(st.integers(1, 3)), tied=tied, dropout=share
    )
    vocab, tasks = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    texts, steps = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    model = new_model(config, vocab, seed=draw(st.integers(0, 9))).double()
    weights = shared(slow_weights(model), tasks)
    own = draw(st.sets(st.sampled_from(list(weights))))  # those that the tasks do not share
    weights = {name: w + 0.2 * normal(*w.shape) if name in own else w for name, w in weights.items()}
    tokens = torch.randint(0, vocab, (tasks, texts, steps + 1), generator=generator)
    mask = torch.rand(tasks, texts, steps, generator=generator) < 0.7 if draw(st.booleans()) else None
    state = normal(tasks, config.layers, texts, hidden) if draw(st.booleans()) else None
    names = draw(st.sets(st.sampled_from(list(weights)), min_size=1))
    direction = {name: normal(*weights[name].shape) for name in weights if name in names}
    seeds = list(range(5, 5 + tasks)) if draw(st.booleans()) else None
    return model, weights, Windows(tokens, mask, state, seeds), direction, draw(st.integers(1, 3))


def single(x):
    """The same in float32."""
    if isinstance(x, GRULM):
        return new_model(x.config, x.vocab_size, 0)
    if isinstance(x, Windows):
        state = x.hidden_TLBH
        return Windows(x.tokens_TBS, x.mask_TBS, None if state is None else state.float())
    # A view of stride 0 stays one.
    return {name: w[:1].float().expand_as(w) if w.stride(0) == 0 else w.float() for name, w in x.items()}


def everything(engine, weights: TaskWeights, windows, direction) -> list[torch.Tensor]:
    losses, gradient = engine.gradient(weights, windows)
    both = engine.hessian_product(weights, windows, direction)
    named = [x[name] for x in (gradient, *both) for name in weights]
    said = engine.log_probs(weights, windows)
    alone = engine.losses(weights, windows).nats_TBS
    return [losses.nats_TBS, losses.hidden_TLBH, alone, said.log_p_TBSV, said.hidden_TLBH, *named]


@settings(max_examples=60)
@given(case=cases(), compiled=st.booleans(), is_wide=st.booleans())
def test_losses_gradients_and_hessian_products_are_the_references_in_float64(case, compiled, is_wide):
    model, *arguments, threads = case
    with pytest.MonkeyPatch.context() as patch:
        if is_wide:  # few tasks are shared by a team of threads
            patch.setattr(fast, "_WIDE", 1)
            patch.setattr(fast, "_WIDE_ALONE", 1)
        if not compiled:  # as on a GPU, or without a compiler
            patch.setattr(recurrence, "_library", lambda _like: None)
        ours = everything(FastEngine(model, threads), *arguments)
    reference = everything(ReferenceEngine(model), *arguments)
    for x, y in zip(ours, reference, strict=True):
        assert x.shape == y.shape
        assert (x - y).norm() <= 1e-10 * max(1.0, y.norm())


@settings(max_examples=60)
@given(case=cases())
def test_float32_is_as_near_to_float64_as_the_reference_is(case):
    model, weights, windows, direction, threads = case
    # Of either type other masks are drawn.
    arguments = weights, replace(windows, dropout_seeds=None), direction
    exact = everything(ReferenceEngine(model), *arguments)
    small_model, *small = (single(x) for x in (model, *arguments))
    ours = everything(FastEngine(small_model, threads), *small)
    reference = everything(ReferenceEngine(small_model), *small)
    # Over all numbers of a call: of a single tensor of a few numbers either may be exact by chance.
    error, other, size = (
        torch.cat([(x.double() - y).flatten() for x, y in zip(values, exact, strict=True)]).norm()
        for values in (ours, reference, [torch.zeros_like(y) for y in exact])
    )
    assert error <= max(2 * other, torch.finfo(torch.float32).eps * size)


@settings(max_examples=20)
@given(case=cases())
def test_log_probabilities_are_of_a_distribution_whose_nats_are_the_losses(case):
    model, weights, windows, _, threads = case
    engine = FastEngine(model, threads)
    losses, said = engine.losses(weights, windows), engine.log_probs(weights, windows)

    nats_TBS = -said.log_p_TBSV.gather(-1, windows.targets_TBS[..., None])[..., 0]
    if windows.mask_TBS is not None:
        nats_TBS = torch.where(windows.mask_TBS, nats_TBS, 0)
    assert torch.allclose(nats_TBS, losses.nats_TBS, rtol=1e-12, atol=1e-12)
    assert torch.allclose(said.hidden_TLBH, losses.hidden_TLBH, rtol=1e-12, atol=1e-12)
    assert torch.allclose(said.log_p_TBSV.exp().sum(-1), torch.ones((), dtype=torch.float64))


@settings(max_examples=20)
@given(case=cases())
def test_gradient_by_some_names_is_part_of_the_whole(case):
    model, weights, windows, direction, threads = case
    engine = FastEngine(model, threads)
    whole = engine.gradient(weights, windows)[1]
    some = engine.gradient(weights, windows, tuple(direction))[1]
    assert list(some) == list(direction)
    for name, value in some.items():
        assert torch.allclose(value, whole[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("moves", ["", "linear", "linear.bias", "rnn"])
def test_hessian_product_comes_without_the_gradient_too(model, moves):
    weights = shared(slow_weights(model), 2)
    way = {name: weight for name, weight in weights.items() if name.startswith(moves)}
    windows = Windows(torch.randint(0, 7, (2, 3, 9), generator=torch.Generator().manual_seed(0)))
    for engine in (FastEngine(model), ReferenceEngine(model)):
        gradient, product = engine.hessian_product(weights, windows, way, gradient=False)
        assert gradient == {}
        whole = engine.hessian_product(weights, windows, way)[1]
        assert all(product[name].equal(whole[name]) for name in whole)


class Gradient(torch.autograd.Function):
    """The engine's gradient as a function of the weights; its own derivative is the Hessian product."""

    @staticmethod
    def forward(ctx, engine, windows, names, *weights):
        ctx.engine, ctx.windows, ctx.names = engine, windows, names
        ctx.save_for_backward(*weights)
        weights = {name: w.detach()[None] for name, w in zip(names, weights, strict=True)}
        return tuple(x[0] for x in engine.gradient(weights, windows)[1].values())

    @staticmethod
    def backward(ctx, *above):
        pairs = zip(ctx.names, ctx.saved_tensors, above, strict=True)
        weights, direction = {}, {}
        for name, weight, way in pairs:
            weights[name], direction[name] = weight.detach()[None], way[None].contiguous()
        product = ctx.engine.hessian_product(weights, ctx.windows, direction)[1]
        return None, None, None, *(product[name][0] for name in ctx.names)


class Objective(torch.autograd.Function):
    """The engine's objective, one task's mean nats, as a function of the weights."""

    @staticmethod
    def forward(ctx, engine, windows, names, *weights):
        ctx.arguments = engine, windows, names
        ctx.save_for_backward(*weights)
        weights = {name: w.detach()[None] for name, w in zip(names, weights, strict=True)}
        return engine.losses(weights, windows).nats_TBS.mean()

    @staticmethod
    def backward(ctx, above):
        return None, None, None, *(above * x for x in Gradient.apply(*ctx.arguments, *ctx.saved_tensors))


@pytest.mark.parametrize(("layers", "tied"), [(1, False), (2, True)])
def test_derivatives_agree_with_finite_differences(layers, tied):
    model = new_model(ModelConfig(embedding=3, hidden=3, layers=layers, tied=tied), 5, seed=3).double()
    windows = Windows(torch.randint(0, 5, (1, 2, 5), generator=torch.Generator().manual_seed(0)))
    names = tuple(slow_weights(model))
    weights = [w.clone().requires_grad_() for w in slow_weights(model).values()]
    engine = FastEngine(model, 1)
    assert gradcheck(lambda *w: Objective.apply(engine, windows, names, *w), weights)
    assert gradgradcheck(lambda *w: Objective.apply(engine, windows, names, *w), weights)


def test_same_call_gives_the_same_bits_on_several_threads(model):
    weights = shared(slow_weights(model), 5)
    windows = Windows(torch.randint(0, 7, (5, 4, 9), generator=torch.Generator().manual_seed(0)))
    engine = FastEngine(model, 3)
    first = engine.gradient(weights, windows)[1]
    for _ in range(5):
        again = engine.gradient(weights, windows)[1]
        assert all(again[name].equal(first[name]) for name in first)


def test_a_task_does_not_depend_on_its_neighbours(model):
    generator = torch.Generator().manual_seed(0)
    weights = {
        n: w + torch.randn(w.shape, generator=generator) for n, w in shared(slow_weights(model), 6).items()
    }
    windows = Windows(torch.randint(0, 7, (6, 3, 9), generator=generator))
    engine = FastEngine(model, 1)
    together = engine.gradient(weights, windows)[1]
    for task in range(6):
        mine = {name: weight[task : task + 1] for name, weight in weights.items()}
        alone = engine.gradient(mine, windows.of_tasks(task, task + 1))[1]
        for name, value in alone.items():
            assert torch.allclose(value[0], together[name][task], rtol=1e-5, atol=1e-7)


def test_what_is_dropped_follows_from_each_tasks_seed_alone():
    model = new_model(ModelConfig(embedding=3, hidden=5, dropout=0.5), 7, seed=1)
    tokens = torch.randint(0, 7, (1, 3, 9)).expand(3, 3, 9)
    seeds = [4, 9, 4]
    gradient = FastEngine(model).gradient(
        shared(slow_weights(model), 3), Windows(tokens, dropout_seeds=seeds)
    )[1]["linear.weight"]
    assert gradient[0].equal(gradient[2])
    assert not gradient[0].equal(gradient[1])
    kept = FastEngine(model).gradient(shared(slow_weights(model), 1), Windows(tokens[:1]))[1]
    assert not kept["linear.weight"][0].equal(gradient[0])


def test_a_task_that_predicts_nothing_has_no_gradient(model):
    weights = shared(slow_weights(model), 2)
    mask = torch.tensor([True, False])[:, None, None].expand(2, 3, 8)
    windows = Windows(torch.randint(0, 7, (2, 3, 9)), mask)
    losses, gradient = FastEngine(model).gradient(weights, windows)
    assert losses.nats_TBS[1].eq(0).all()
    assert all(value[1].eq(0).all() for value in gradient.values())
    assert all(value[0].ne(0).any() for value in gradient.values())


@pytest.mark.parametrize("tasks", [1, 3])
def test_no_windows_have_no_losses_and_no_gradient(model, tasks):
    weights = {name: weight.clone() for name, weight in shared(slow_weights(model), tasks).items()}
    windows, engine = Windows(torch.zeros(tasks, 0, 5, dtype=torch.int64)), FastEngine(model, 2)
    assert engine.losses(weights, windows).nats_TBS.shape == (tasks, 0, 4)
    losses, gradient = engine.gradient(weights, windows)
    assert losses.nats_TBS.shape == (tasks, 0, 4)
    for found in (gradient, *engine.hessian_product(weights, windows, weights)):
        assert all(part.eq(0).all() and part.shape == weights[name].shape for name, part in found.items())


@pytest.mark.gpu
def test_on_cuda_it_equals_the_cpu(model):
    weights = shared(slow_weights(model.double()), 3)
    generator = torch.Generator().manual_seed(0)
    weights = {n: w + torch.randn(w.shape, generator=generator, dtype=w.dtype) for n, w in weights.items()}
    direction = {n: torch.randn(w.shape, generator=generator, dtype=w.dtype) for n, w in weights.items()}
    windows = Windows(torch.randint(0, 7, (3, 4, 9), generator=generator))
    cpu = everything(FastEngine(model), weights, windows, direction)
    on_cuda = [{n: w.cuda() for n, w in x.items()} for x in (weights, direction)]
    cuda = everything(FastEngine(model.cuda()), on_cuda[0], Windows(windows.tokens_TBS.cuda()), on_cuda[1])
    for x, y in zip(cuda, cpu, strict=True):
        assert torch.allclose(x.cpu(), y, rtol=1e-9, atol=1e-12)
