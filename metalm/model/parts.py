"""A call of the fast engine in parts: which tasks and texts each has, and how their results come together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metalm.model.task_weights import TaskWeights


@dataclass(frozen=True)
class Part:
    """Tasks [begin, end) and, of each, texts [first, last)."""

    begin: int
    end: int
    first: int
    last: int

    def of(self, x: Tensor | None) -> Tensor | None:
        """What it takes of a tensor (T, B, ...)."""
        return None if x is None else x[self.begin : self.end, self.first : self.last]


class Sums:
    """Derivatives by `names` of all tasks, put together from those of parts."""

    def __init__(self, weights: TaskWeights, names: tuple[str, ...]) -> None:
        self._names = names
        self._is_whole = len(next(iter(weights.values()))) == 1
        tasks = {} if self._is_whole else {name: weights[name] for name in names}
        self._whole = {
            name: torch.empty_like(w, memory_format=torch.contiguous_format) for name, w in tasks.items()
        }

    def put(self, part: Part, found: TaskWeights) -> TaskWeights | None:
        """Put a part's derivatives in their place, on its own thread; what must be added later comes back."""
        if self._is_whole or part.first > 0:
            return found
        for name in self._names:
            self._whole[name][part.begin : part.end] = found[name]
        return None

    def total(self, rests: list[tuple[Part, TaskWeights | None]]) -> TaskWeights:
        """All of it, by name; rests: what `put` gave back."""
        for part, rest in rests:
            if rest is None:
                continue
            if not self._whole:
                self._whole = rest
                continue
            for name in self._names:
                self._whole[name][part.begin : part.end] += rest[name]
        return {name: self._whole[name] for name in self._names}
