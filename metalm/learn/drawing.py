"""Which tasks an outer step meets: uniformly, by size, or by size to the power 1/temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metalm.config import Drawing


def probabilities(sizes: Sequence[int], drawing: Drawing) -> np.ndarray:
    """The share of visits that each task is to get. sizes: bytes of each task, above 0."""
    power = {"uniform": 0.0, "size": 1.0, "temperature": 1 / drawing.temperature}[drawing.method]
    # Over the largest first, so that no power overflows.
    weights = (np.asarray(sizes, dtype=float) / max(sizes)) ** power
    return weights / weights.sum()


def draw_tasks(shares: np.ndarray, num_tasks: int, rng: np.random.Generator) -> list[int]:
    """Indices of the `num_tasks` tasks of one meta-batch, each met `num_tasks * share` times on average.

    Systematic sampling: the tasks are laid end to end in random order, each as long as its share, and met at
    equal distances from a random begin. So a task comes twice in a meta-batch only when its share asks for
    it.
    """
    order = rng.permutation(len(shares))
    ends = np.cumsum(shares[order])
    points = (np.arange(num_tasks) + rng.random()) / num_tasks * ends[-1]
    return [int(i) for i in order[np.searchsorted(ends, points, side="right")]]
