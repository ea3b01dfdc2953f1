"""How sure a mean over tasks is: its bootstrap interval."""

from __future__ import annotations

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
    if len(values) < 2 or not np.isfinite(values).all():
        return float("nan"), float("nan")
    means = _resampled(len(values), seed, resamples) @ values
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)  # every cell of a table has the same tasks
def _resampled(num_tasks: int, seed: int, resamples: int) -> np.ndarray:
    """The share of each task in each resample, (resamples, tasks): draws with replacement, counted."""
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(num_tasks, np.full(num_tasks, 1 / num_tasks), size=resamples) / num_tasks
    shares.flags.writeable = False
    return shares
