"""Ordinary pre-training: each step descends the mean loss of one batch that mixes the meta-batch's tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metalm.config import Joint
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Batch
from metalm.model.engine import Windows
from metalm.model.task_weights import of_task


def meta_step(learner: Learner, batches: Sequence[Batch], _config: Joint, watch: Watch) -> None:
    """One optimiser step on all windows of all tasks at once, every token weighing the same.

    The tasks share their weights, so they are one to the engine.
    """
    parts = [batch.windows_BT for batch in batches]
    windows = Windows(torch.cat(parts)[None], dropout_seeds=learner.dropout_seeds(0, 1, 0))
    losses, gradient = learner.engine.gradient(learner.slow(1), windows)
    sizes = [len(part) for part in parts]
    for batch, nats_TBS in zip(batches, losses.nats_TBS.split(sizes, dim=1), strict=True):
        watch.saw([batch], "query", 0, nats_TBS, Windows(batch.windows_BT[None]))
    learner.descend(of_task(gradient, 0), watch)
