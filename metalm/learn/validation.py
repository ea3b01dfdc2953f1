"""How a run is judged while it trains: bits per byte on meta-validation tasks after adaptation.

The zero-shot score is measured too, but chooses nothing: on far tasks it rises from the first minutes on
while training improves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metalm.learn.inner import SupportSet, adapt
from metalm.learn.reports import Loss
from metalm.learn.rules import Rule
from metalm.learn.score import Score, score
from metalm.learn.stopping import ShouldStop
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import of_task, shared
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
    tasks: Iterable[ValidationTask],
    rule: Rule,
    should_stop: ShouldStop,
) -> tuple[Loss, ...]:
    """Each task's query loss before and after `rule.inner.steps` adaptation steps. Raises Stopped."""
    losses = []
    for task in tasks:
        device = next(iter(weights.values())).device
        support = SupportSet.of_text(tokenizer, task.support, rule.inner.window, device)
        fast = adapt(engine_for(model), shared(weights, 1), [support], rule, should_stop=should_stop)
        for step, used in {0: weights, rule.inner.steps: of_task(fast, 0)}.items():
            cost = score(model, used, tokenizer, task.support, task.query, should_stop=should_stop)
            losses.append(_loss(task, step, cost))
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
