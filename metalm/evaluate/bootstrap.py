"""How sure a mean over tasks is: its bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

RESAMPLES = 10_000


def interval(
    values: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values` (one a task): the same for the same seed.

    nan for fewer than two values, since one task says nothing about the spread between tasks, and when a
    value is infinite.
    """
    [found] = intervals([values], seed=seed, resamples=resamples, level=level)
    return found


def intervals(
    columns: Sequence[np.ndarray], *, seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> list[tuple[float, float]]:
    """`interval` of each; those of as many tasks in one product, which reads the resamples once."""
    found = [(float("nan"), float("nan"))] * len(columns)
    alike: dict[int, list[int]] = {}
    for place, values in enumerate(columns):
        if len(values) >= 2 and np.isfinite(values).all():
            alike.setdefault(len(values), []).append(place)
    for num_tasks, places in alike.items():
        means = _resampled(num_tasks, seed, resamples) @ np.column_stack([columns[place] for place in places])
        lows, highs = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
        for place, low, high in zip(places, lows, highs, strict=True):
            found[place] = float(low), float(high)
    return found


@lru_cache(maxsize=4)  # every cell of a table has the same tasks
def _resampled(num_tasks: int, seed: int, resamples: int) -> np.ndarray:
    """The share of each task in each resample, (resamples, tasks): draws with replacement, counted."""
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(num_tasks, np.full(num_tasks, 1 / num_tasks), size=resamples) / num_tasks
    shares.flags.writeable = False
    return shares
