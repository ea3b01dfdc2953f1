"""The article's loop (section 4): task after task, one optimiser step a batch, the hidden state carried.

Repaired in two places only: the state is detached between batches (as printed, the second backward raises),
and logits are flattened for the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from metalm.config import Sequential
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Streams
from metalm.model.engine import Windows
from metalm.model.task_weights import of_task


def meta_step(learner: Learner, tasks: Sequence[Streams], _config: Sequential, watch: Watch) -> None:
    """One visit of each task: every batch moves the slow weights. A visit that is cut off is undone."""
    with learner.undone_unless_completed():
        for number, task in enumerate(tasks):
            hidden_TLBH = None
            for batch, tokens_BT in enumerate(task.batches()):
                seeds = learner.dropout_seeds(number, 1, batch)
                windows = Windows(tokens_BT[None], None, hidden_TLBH, seeds)
                losses, gradient = learner.engine.gradient(learner.slow(1), windows)
                hidden_TLBH = losses.hidden_TLBH
                watch.saw([task], "query", 0, losses.nats_TBS, windows)
                learner.descend(of_task(gradient, 0), watch)
