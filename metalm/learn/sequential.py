"""The article's loop (section 4): task after task, one optimiser step a batch, the hidden state carried.

Repaired in two places only: the state is detached between batches (as printed, the second backward raises),
and logits are flattened for the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy

from metalm.config import Sequential
from metalm.learn.learner import Learner
from metalm.learn.watch import Watch
from metalm.learn.windows import Streams
from metalm.model.fast_weights import run


def meta_step(learner: Learner, tasks: Sequence[Streams], _config: Sequential, watch: Watch) -> None:
    """One visit of each task: every batch moves the slow weights. A visit that is cut off is undone."""
    with learner.undone_unless_completed():
        for task in tasks:
            hidden_LBH = None
            for tokens_BT in task.batches():
                inputs_BT, targets_BT = tokens_BT[:, :-1], tokens_BT[:, 1:]
                logits_BTV, hidden_LBH = run(
                    learner.model, learner.weights, inputs_BT, hidden_LBH, learner.dropout
                )
                hidden_LBH = hidden_LBH.detach()
                nats = cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), reduction="none")
                watch.saw(task, "query", 0, nats, targets_BT)
                gradients = torch.autograd.grad(nats.mean(), list(learner.weights.values()))
                learner.descend(dict(zip(learner.weights, gradients, strict=True)), watch)
