"""What one outer step reads of a task: fresh windows of its training part, never of its tail.

Shapes: B windows (or streams) side by side, T tokens predicted in each. A window holds T + 1 tokens: its
inputs and, one further, its targets. Every draw follows from the generator that is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalm.config import Algorithm, Episodic, Joint, Sequential
from metalm.errors import SplitError
from metalm.learn.inner import SupportSet


@dataclass(frozen=True)
class TaskTokens:
    """A meta-train task as training sees it: tokens of its bytes [0, train_end), perhaps memory-mapped."""

    task_id: str
    name: str
    size: int  # bytes of the whole task; what drawing by size goes by
    ids: np.ndarray
    device: torch.device | str = "cpu"  # where its windows go

    def pieces(self, starts: np.ndarray, length: int) -> Tensor:
        """int64 (B, length): the tokens from each start on."""
        tokens = torch.from_numpy(np.stack([self.ids[start : start + length] for start in starts])).long()
        if torch.device(self.device).type == "cuda":
            # From pinned memory the copy waits for nobody, and nobody for it.
            return tokens.pin_memory().to(self.device, non_blocking=True)
        return tokens.to(self.device)


@dataclass(frozen=True)
class Visit:
    """One task in one outer step; what else it holds depends on the algorithm."""

    task_id: str
    name: str


@dataclass(frozen=True)
class Episode(Visit):
    """A task met once: adapt on the support set, judge on query windows (B, T + 1). No token is in both."""

    support: SupportSet
    query_BT: Tensor


@dataclass(frozen=True)
class Streams(Visit):
    """Pieces of a task's text side by side, (B, n * T + 1) for n batches in a row, and that T."""

    tokens_BT: Tensor
    window: int

    def batches(self) -> list[Tensor]:
        """Windows (B, T + 1), each going on where the one before ended."""
        steps = range(0, self.tokens_BT.shape[1] - 1, self.window)
        return [self.tokens_BT[:, begin : begin + self.window + 1] for begin in steps]


@dataclass(frozen=True)
class Batch(Visit):
    """Windows of a task, (B, T + 1)."""

    windows_BT: Tensor


def draw_episode(task: TaskTokens, config: Episodic, rng: np.random.Generator) -> Episode:
    """Support windows for every adaptation step and one batch of query windows, all of them disjoint.

    A text too short for that gives fewer: a quarter of its windows is judged on, and adaptation reads the
    others in a circle, as it does when a run adapts to a short text.
    """
    inner = config.inner
    wanted = (inner.steps + 1) * inner.batch
    windows_NT = draw_windows(task, inner.window, wanted, rng)
    is_short = len(windows_NT) < wanted
    num_query = min(inner.batch, max(1, len(windows_NT) // 4)) if is_short else inner.batch
    return Episode(task.task_id, task.name, SupportSet(windows_NT[num_query:]), windows_NT[:num_query])


def draw_batch(task: TaskTokens, config: Joint, rng: np.random.Generator) -> Batch:
    """Disjoint windows from anywhere in the training part."""
    return Batch(task.task_id, task.name, draw_windows(task, config.window, config.batch, rng))


def draw_streams(task: TaskTokens, config: Sequential, rng: np.random.Generator) -> Streams:
    """Streams that begin anywhere in the training part; a short text gives fewer batches."""
    num_batches = min(config.batches, (len(task.ids) - 1) // config.window)
    length = num_batches * config.window + 1
    starts = rng.integers(0, len(task.ids) - length + 1, size=config.batch)
    return Streams(task.task_id, task.name, task.pieces(starts, length), config.window)


def draw_windows(task: TaskTokens, window: int, num_windows: int, rng: np.random.Generator) -> Tensor:
    """At most `num_windows` windows (B, T + 1) that share no token, in random order.

    The text is cut into slots of a window each, the first of them at a random offset, and slots are drawn
    without replacement. One slot is given up for the sake of the offset when there are more than are needed.
    """
    length = window + 1
    num_slots = len(task.ids) // length
    if num_slots > num_windows:
        num_slots -= 1
    offset = rng.integers(0, len(task.ids) - num_slots * length + 1)
    chosen = rng.choice(num_slots, size=min(num_windows, num_slots), replace=False)
    return task.pieces(offset + chosen * length, length)


def check_length(task: TaskTokens, algorithm: Algorithm) -> None:
    """Raises SplitError when the task's training part is too short for a single visit."""
    if isinstance(algorithm, Episodic):
        needed, what = 2 * (algorithm.inner.window + 1), "one support and one query window"
    else:
        needed, what = algorithm.window + 1, "one window"
    if len(task.ids) < needed:
        raise SplitError(
            f"task {task.name!r} has {len(task.ids)} tokens to train on, needs {needed} for {what} of "
            f"{algorithm.name}; choose a shorter window"
        )
