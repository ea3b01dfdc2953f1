"""Plain torch's side: the network and the data of the contest, and every work as one would write it.

Shapes: T tasks, K adaptation steps, B windows, S tokens predicted in a window, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from contest.works import ADAPTATION_BYTES, Work

Result = dict[str, Tensor]  # what both sides must agree on
Once = Callable[[], Iterator[Result]]  # the work, done once; results as they come

TEXT = Path(__file__).parents[2] / "metalm/samples/domains/milton.txt"
QUERY_SHARE = 0.3
KEPT = 0.8  # share of the tokens that follow their task's rule; the others are drawn


class Network(nn.Module):
    """Embedding -> GRU -> Linear, under metalm's names. tokens: (B, S)."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.embedding = nn.Embedding(work.vocabulary, work.embedding)
        self.rnn = nn.GRU(work.embedding, work.hidden, work.layers, batch_first=True)
        self.linear = nn.Linear(work.hidden, work.vocabulary)

    def forward(self, tokens_BS: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, state = self.rnn(self.embedding(tokens_BS), state)
        return self.linear(output), state


def network(work: Work) -> Network:
    """Every side's network: the same weights in each process."""
    torch.manual_seed(0)
    return Network(work).to(work.device)


def windows(work: Work) -> Tensor:
    """int64 (T, K + 1, B, S + 1): each task's tokens follow a rule of its own; the query comes last."""
    rng = torch.Generator().manual_seed(1)
    tasks = []
    for _ in range(work.tasks):
        follower = torch.randperm(work.vocabulary, generator=rng)
        tokens = [torch.randint(work.vocabulary, (work.steps + 1, work.batch), generator=rng)]
        for _ in range(work.window):
            drawn = torch.randint(work.vocabulary, tokens[-1].shape, generator=rng)
            keeps = torch.rand(drawn.shape, generator=rng) < KEPT
            tokens.append(torch.where(keeps, follower[tokens[-1]], drawn))
        tasks.append(torch.stack(tokens, -1))
    return torch.stack(tasks).to(work.device)


def pasted() -> tuple[bytes, bytes]:
    """(support, query) of an English text of 2 kB."""
    text = TEXT.read_bytes()[:ADAPTATION_BYTES]
    cut = round(len(text) * (1 - QUERY_SHARE))
    return text[:cut], text[cut:]


def mean_nats(logits: Tensor, tokens_BS: Tensor) -> Tensor:
    """The mean loss of windows (B, S + 1) from the logits of their inputs."""
    return cross_entropy(logits.flatten(0, 1), tokens_BS[:, 1:].flatten())


def meta_step(work: Work) -> Once:
    """Task by task, autograd through functional_call."""
    model, data = network(work), windows(work)
    names, slow = zip(*model.named_parameters(), strict=True)

    def loss(weights: tuple[Tensor, ...], tokens_BS: Tensor) -> Tensor:
        logits, _ = functional_call(model, dict(zip(names, weights, strict=True)), (tokens_BS[:, :-1],))
        return mean_nats(logits, tokens_BS)

    def once() -> Iterator[Result]:
        total = [torch.zeros_like(weight) for weight in slow]
        for *support, query in data:
            fast = slow
            for tokens in support:
                step = torch.autograd.grad(loss(fast, tokens), fast, create_graph=work.second_order)
                fast = tuple(w - work.lr * g for w, g in zip(fast, step, strict=True))
            if not work.second_order:
                fast = tuple(weight.detach().requires_grad_() for weight in fast)
            gradient = torch.autograd.grad(loss(fast, query), slow if work.second_order else fast)
            total = [s.add_(g, alpha=1 / work.tasks) for s, g in zip(total, gradient, strict=True)]
        yield dict(zip(names, total, strict=True))

    return once


def joint(work: Work) -> Once:
    """One AdamW step a batch of all tasks' windows; the result is the batch's loss before it."""
    model, tokens = network(work), windows(work)[:, 0].flatten(0, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=work.lr, weight_decay=0.01)

    def once() -> Iterator[Result]:
        loss = mean_nats(model(tokens[:, :-1])[0], tokens)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield {"loss": loss.detach()}

    return once


def fast_weights(work: Work, model: Network, support: bytes) -> Iterator[int]:
    """The steps at which `model`, adapting in place to the text, stands; 0 is before the first."""
    text = torch.tensor(list(support))
    starts = torch.arange(0, len(text) - 1, work.window)
    starts[-1] = len(text) - work.window - 1  # the last window ends with the text
    pieces = text[starts[:, None] + torch.arange(work.window + 1)].to(work.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=work.lr)
    yield 0
    for step in range(work.steps):
        tokens = pieces[torch.arange(step * work.batch, (step + 1) * work.batch) % len(pieces)]
        optimizer.zero_grad()
        mean_nats(model(tokens[:, :-1])[0], tokens).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield step + 1


def adaptation(work: Work) -> Once:
    """SGD on the windows of a text; the result is how far each weight went."""
    start, (support, _) = network(work), pasted()

    def once() -> Iterator[Result]:
        model = deepcopy(start)
        for _ in fast_weights(work, model, support):
            pass
        ends = zip(start.named_parameters(), model.parameters(), strict=True)
        yield {name: (end - begin).detach() for (name, begin), end in ends}

    return once


def live(work: Work) -> Once:
    """The same, each step scored: the nats of every query byte, after the support set in one stream."""
    start, (support, query) = network(work), pasted()
    stream = torch.tensor([list(support + query)])

    def once() -> Iterator[Result]:
        model = deepcopy(start)
        for step in fast_weights(work, model, support):
            with torch.inference_mode():
                logits, _ = model(stream[:, :-1])
                asked = slice(-len(query), None)
                nats = cross_entropy(logits[0, asked], stream[0, asked], reduction="none")
            yield {f"step {step}": nats}

    return once


def sampling(work: Work) -> Once:
    """Tokens of every stream, one call of the network a token. What is drawn depends on the generator."""
    model, begin = network(work), torch.full((work.streams, 1), ord("\n"))

    @torch.inference_mode()
    def once() -> Iterator[Result]:
        rng = torch.Generator().manual_seed(0)
        tokens, state, drawn = begin, None, []
        for _ in range(work.tokens // work.streams):
            logits, state = model(tokens, state)
            tokens = torch.multinomial(logits[:, -1].softmax(-1), 1, generator=rng)
            drawn.append(tokens)
        torch.cat(drawn, 1)
        yield {}

    return once


SIDES = {"meta-step": meta_step, "joint": joint, "adaptation": adaptation, "live": live, "sampling": sampling}
