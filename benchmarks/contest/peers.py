"""The libraries' side: a meta-step as the documentation of learn2learn, higher and torchopt writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.func import functional_call

from contest.plain import Network, Once, Result, mean_nats, network, windows
from contest.works import Work


def nats(model: nn.Module, tokens_BS: Tensor) -> Tensor:
    return mean_nats(model(tokens_BS[:, :-1])[0], tokens_BS)


def gradient_of(model: Network) -> Result:
    """What `backward` left."""
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


def learn2learn(work: Work) -> Once:
    """Source: examples/maml_toy.py of learn2learn 0.2.0."""
    found = find_spec("learn2learn")
    if found is None:
        raise ModuleNotFoundError("No module named 'learn2learn'")
    # Its __init__ needs gym, torchvision and more; an empty one in its place leads to MAML all the same.
    sys.modules["learn2learn"] = package = ModuleType("learn2learn")
    package.__path__ = found.submodule_search_locations
    from learn2learn.algorithms.maml import MAML

    model, data = network(work), windows(work)
    maml = MAML(model, lr=work.lr, first_order=not work.second_order)

    def once() -> Iterator[Result]:
        maml.zero_grad()
        for *support, query in data:
            learner = maml.clone()
            for tokens in support:
                learner.adapt(nats(learner, tokens))
            (nats(learner, query) / work.tasks).backward()
        yield gradient_of(model)

    return once


def higher(work: Work) -> Once:
    """Source: the README of higher 0.2.1."""
    import higher as library

    model, data = network(work), windows(work)
    optimizer = torch.optim.SGD(model.parameters(), lr=work.lr)

    def once() -> Iterator[Result]:
        model.zero_grad()
        total = [torch.zeros_like(weight) for weight in model.parameters()]
        for *support, query in data:
            with library.innerloop_ctx(
                model, optimizer, copy_initial_weights=False, track_higher_grads=work.second_order
            ) as (fast, inner):
                for tokens in support:
                    inner.step(nats(fast, tokens))
                loss = nats(fast, query) / work.tasks
                at = list(fast.parameters(time=0 if work.second_order else -1))
                total = [s.add_(g) for s, g in zip(total, torch.autograd.grad(loss, at), strict=True)]
        yield dict(zip((name for name, _ in model.named_parameters()), total, strict=True))

    return once


def torchopt(work: Work) -> Once:
    """Functional in the first order, `MetaSGD` in the second. Source: the tutorials of torchopt 0.7.3."""
    import torchopt as library

    return _torchopt_meta(work, library) if work.second_order else _torchopt_functional(work, library)


def _torchopt_meta(work: Work, library: ModuleType) -> Once:
    model, data = network(work), windows(work)
    slow = dict(model.named_parameters())
    inner = library.MetaSGD(model, lr=work.lr)

    def once() -> Iterator[Result]:
        for weight in slow.values():
            weight.grad = None
        start, state = (library.extract_state_dict(part, by="reference") for part in (model, inner))
        for *support, query in data:
            for tokens in support:
                inner.step(nats(model, tokens))
            (nats(model, query) / work.tasks).backward()
            library.recover_state_dict(model, start)
            library.recover_state_dict(inner, state)
        yield {name: weight.grad.clone() for name, weight in slow.items()}

    return once


def _torchopt_functional(work: Work, library: ModuleType) -> Once:
    model, data = network(work), windows(work)
    names, slow = zip(*model.named_parameters(), strict=True)
    inner = library.sgd(lr=work.lr)

    def loss(weights: tuple[Tensor, ...], tokens_BS: Tensor) -> Tensor:
        logits, _ = functional_call(model, dict(zip(names, weights, strict=True)), (tokens_BS[:, :-1],))
        return mean_nats(logits, tokens_BS)

    def once() -> Iterator[Result]:
        total = [torch.zeros_like(weight) for weight in slow]
        for *support, query in data:
            fast, state = slow, inner.init(slow)
            for tokens in support:
                step = torch.autograd.grad(loss(fast, tokens), fast)
                updates, state = inner.update(step, state, params=fast, inplace=False)
                fast = library.apply_updates(fast, updates, inplace=False)
            fast = tuple(weight.detach().requires_grad_() for weight in fast)
            gradient = torch.autograd.grad(loss(fast, query), fast)
            total = [s.add_(g, alpha=1 / work.tasks) for s, g in zip(total, gradient, strict=True)]
        yield dict(zip(names, total, strict=True))

    return once


SIDES = {"learn2learn": learn2learn, "higher": higher, "torchopt": torchopt}
