"""metalm's side: its public functions, told the same as the peers. Inner clipping is off where theirs is.

Shapes: T tasks, K adaptation steps, B windows, S tokens predicted in a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from contest import plain
from contest.plain import Once, Result
from contest.works import Work
from metalm.config import AdamW, Fomaml, InnerLoop, Joint, Maml, ModelConfig, Reptile
from metalm.evaluate.live import adapt_live
from metalm.evaluate.sampling import sample_streams
from metalm.learn.algorithms import RECIPES
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.learner import Learner
from metalm.learn.rules import Rule
from metalm.learn.stopping import never
from metalm.learn.watch import Watch
from metalm.learn.windows import Batch, Episode
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import of_task, shared
from metalm.text.tokenizers import ByteTokenizer


def model_of(work: Work) -> GRULM:
    """The contest's network as metalm's."""
    config = ModelConfig(embedding=work.embedding, hidden=work.hidden, layers=work.layers)
    model = GRULM(config, work.vocabulary)
    model.load_state_dict(plain.network(work).state_dict())
    return model.to(work.device)


def inner_loop(work: Work, clip: float) -> InnerLoop:
    return InnerLoop(steps=work.steps, lr=work.lr, batch=work.batch, window=work.window, clip=clip)


class Unmoved(Learner):
    """A learner that keeps its gradient and stays where it is: the peers' meta-steps move nothing either."""

    gradient: Mapping[str, Tensor]

    def descend(self, gradient: Mapping[str, Tensor], watch: Watch) -> None:
        watch.settle()
        self.gradient = gradient


def meta_step(work: Work) -> Once:
    """All of the algorithm's outer step but the optimiser's part."""
    algorithm = (Maml if work.second_order else Fomaml)(inner=inner_loop(work, clip=0.0))
    # Reptile has no optimiser: nobody's is part of the work, and torch's takes 80 MB to load.
    learner, tokenizer = Unmoved(model_of(work), Reptile()), ByteTokenizer()
    episodes = [
        Episode(f"task {task}", f"task {task}", SupportSet(windows[:-1].flatten(0, 1)), windows[-1])
        for task, windows in enumerate(plain.windows(work))
    ]

    def once() -> Iterator[Result]:
        learner.begin(1, 0.0, 0)
        RECIPES[algorithm.name].meta_step(learner, episodes, algorithm, Watch(1, tokenizer, never))
        yield dict(learner.gradient)

    return once


def joint(work: Work) -> Once:
    model, data = model_of(work), plain.windows(work)
    optimizer = AdamW(lr=work.lr, warmup=0, final=1.0)
    config = Joint(batch=work.batch, window=work.window, optimizer=optimizer)
    learner, tokenizer = Learner(model, config), ByteTokenizer()
    batches = [Batch(str(task), str(task), windows[0]) for task, windows in enumerate(data)]

    def once() -> Iterator[Result]:
        watch = Watch(1, tokenizer, never)
        learner.begin(1, 0.0, 0)
        RECIPES[config.name].meta_step(learner, batches, config, watch)
        nats, tokens = (sum(getattr(loss, what) for loss in watch.losses()) for what in ("nats", "tokens"))
        yield {"loss": torch.tensor(nats / tokens)}

    return once


def adaptation(work: Work) -> Once:
    model, (support, _) = model_of(work), plain.pasted()
    engine, slow, rule = engine_for(model), slow_weights(model), Rule(inner_loop(work, clip=1.0))

    def once() -> Iterator[Result]:
        windows = SupportSet.of_text(ByteTokenizer(), support, work.window)
        fast = of_task(adapt(engine, shared(slow, 1), [windows], rule), 0)
        yield {name: weight - slow[name] for name, weight in fast.items()}

    return once


def live(work: Work) -> Once:
    model, (support, query) = model_of(work), plain.pasted()
    slow, rule = slow_weights(model), Rule(inner_loop(work, clip=1.0))

    def once() -> Iterator[Result]:
        for step in adapt_live(model, slow, ByteTokenizer(), support, query, rule):
            yield {f"step {step.step}": torch.from_numpy(step.char_nats)}

    return once


def sampling(work: Work) -> Once:
    model = model_of(work)
    slow, tokenizer = slow_weights(model), ByteTokenizer()

    def once() -> Iterator[Result]:
        num_bytes = work.tokens // work.streams
        for _ in sample_streams(model, slow, tokenizer, num_streams=work.streams, num_bytes=num_bytes):
            pass
        yield {}

    return once


SIDES = {"meta-step": meta_step, "joint": joint, "adaptation": adaptation, "live": live, "sampling": sampling}
