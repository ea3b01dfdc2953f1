"""The data of a run: what each outer step reads, drawn afresh from the meta-train tasks.

Outer step s of a run always reads the same, whatever happened before it; so the Train page can show the first
meta-batch of a run that has not begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from metalm.config import RunConfig
from metalm.errors import SplitError
from metalm.learn.algorithms import RECIPES
from metalm.learn.drawing import draw_tasks, probabilities
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.windows import TaskTokens, Visit, check_length
from metalm.learn.writing import in_script, made_up
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer
from metalm.text.tokens import open_tokens


class MetaBatches:
    """The meta-train tasks of a run: memory-mapped tokens of their training parts, and how they are drawn."""

    def __init__(
        self,
        config: RunConfig,
        texts: Sequence[TaskText],
        tokenizer: Tokenizer,
        tokens_dir: Path,
        device: torch.device | str = "cpu",
        should_stop: ShouldStop = never,
    ) -> None:
        """texts: in the order of `sequential`'s visits. SplitError when there is none or one is short.

        Writes the tokens that are not there yet; raises Stopped when `should_stop` says so meanwhile.
        """
        if not texts:
            raise SplitError("a run must have a meta-train task, got none")
        self._config = config
        self._tasks = [opened(text, tokenizer, tokens_dir, device, should_stop) for text in texts]
        for task in self._tasks:
            check_length(task, config.algorithm)
        self._shares = probabilities([task.size for task in self._tasks], config.drawing)

    @property
    def task_ids(self) -> list[str]:
        return [task.task_id for task in self._tasks]

    def visits(self, step: int) -> list[Visit]:
        """What outer step `step` (from 1) reads. Follows from the config's seed and `step` alone."""
        recipe = RECIPES[self._config.algorithm.name]
        rng = np.random.default_rng([self._config.seed, step])
        if recipe.in_order:
            tasks = [self._tasks[(step - 1) % len(self._tasks)]]
        else:
            drawn = draw_tasks(self._shares, self._config.drawing.meta_batch, rng)
            tasks = [self._tasks[index] for index in drawn]
        visits = [recipe.draw(task, self._config.algorithm, rng) for task in tasks]
        return [self._written(visit, step, place) for place, visit in enumerate(visits)]

    def _written(self, visit: Visit, step: int, place: int) -> Visit:
        """The visit, in a made-up script where the draw says so: from a generator of its own."""
        if self._config.drawing.made_up == 0:
            return visit
        rng = np.random.default_rng([self._config.seed, step, place])
        return in_script(visit, made_up(rng)) if rng.random() < self._config.drawing.made_up else visit


def opened(
    text: TaskText,
    tokenizer: Tokenizer,
    folder: Path,
    device: torch.device | str,
    should_stop: ShouldStop,
) -> TaskTokens:
    """The tokens of a task's training part, from their file, which is written when it is not there."""
    ids = open_tokens(text, tokenizer, folder, on_wait=partial(stop_if, should_stop))
    return TaskTokens(text.task.id, text.task.name, text.size, ids, device)
