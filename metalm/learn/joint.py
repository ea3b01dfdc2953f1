"""Ordinary pre-training: each step descends the mean loss of one batch that mixes the meta-batch's tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metalm.config import Joint
from metalm.learn.inner import losses_and_gradient
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Batch


def meta_step(learner: Learner, batches: Sequence[Batch], _config: Joint, watch: Watch) -> None:
    """One optimiser step on all windows of all tasks at once, every token weighing the same."""
    windows_BT = torch.cat([batch.windows_BT for batch in batches])
    nats_BT, gradient = losses_and_gradient(learner.model, learner.weights, windows_BT, learner.dropout)
    for batch, nats in zip(batches, nats_BT.split([len(b.windows_BT) for b in batches]), strict=True):
        watch.saw(batch, "query", 0, nats, batch.windows_BT[:, 1:])
    learner.descend(gradient, watch)
