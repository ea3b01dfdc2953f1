"""How a run is judged while it trains: bits per byte on meta-validation tasks after adaptation.

The zero-shot score is measured too, but chooses nothing: on far tasks it rises from the first minutes on
while training improves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metalm.learn.inner import SupportSet, adapt, blocks
from metalm.learn.reports import Loss
from metalm.learn.rules import Rule
from metalm.learn.score import Score, Stream, scores
from metalm.learn.stopping import ShouldStop
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import shared
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer
from metalm.units import bits_per_byte


@dataclass(frozen=True)
class ValidationTask:
    """The bytes that one meta-validation task is measured on."""

    task_id: str
    name: str
    support: bytes
    query: bytes


def validation_tasks(
    texts: Iterable[TaskText], support_bytes: int, query_bytes: int
) -> tuple[ValidationTask, ...]:
    """Cut each text as evaluation does. One too short for `support_bytes` gives its whole training part."""
    tasks = []
    for text in texts:
        support = text.support(support_bytes) or (0, text.cut.train_end)
        pair = text.read(*support), text.read(*text.query(query_bytes))
        tasks.append(ValidationTask(text.task.id, text.task.name, *pair))
    return tuple(tasks)


def validation_losses(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    tasks: Sequence[ValidationTask],
    rule: Rule,
    should_stop: ShouldStop,
) -> tuple[Loss, ...]:
    """Each task's query loss before and after `rule.inner.steps` adaptation steps. Raises Stopped."""
    engine, window = engine_for(model), rule.inner.window
    device = next(iter(weights.values())).device
    losses = []
    for block in blocks(tasks):
        slow = shared(weights, len(block))
        streams = [Stream.of(tokenizer, task.support, task.query) for task in block]
        supports = [SupportSet.of_text(tokenizer, task.support, window, device) for task in block]
        fast = adapt(engine, slow, supports, rule, should_stop=should_stop)
        for step, used in {0: slow, rule.inner.steps: fast}.items():
            costs = scores(engine, used, streams, should_stop=should_stop)
            losses += [_loss(task, step, cost) for task, cost in zip(block, costs, strict=True)]
    return tuple(losses)


def _loss(task: ValidationTask, step: int, cost: Score) -> Loss:
    return Loss(
        task_id=task.task_id,
        part="validation",
        adaptation_step=step,
        nats=cost.nats,
        tokens=cost.tokens,
        bytes=cost.bytes,
        chars=cost.chars,
    )


def mean_bits_per_byte(losses: Sequence[Loss], adaptation_step: int) -> float:
    """Bits per byte after that many steps, averaged over tasks: what the best weights are chosen by."""
    chosen = [loss for loss in losses if loss.adaptation_step == adaptation_step]
    return sum(bits_per_byte(loss.nats, loss.bytes) for loss in chosen) / len(chosen)
