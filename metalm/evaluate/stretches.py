"""How sure a figure of one text is, by a bootstrap over stretches of it.

Neighbouring characters cost alike, so that single ones must not be drawn: stretches of the text are, as long
as keeps what hangs together together. What it says holds for this text alone, never for others.
Source: the circular block bootstrap, Politis and Romano 1992; a block of the square root of the length, which
is longer, and so more careful, than the cube root that is best for a variance (Hall, Horowitz, Jing 1995).
"""

from __future__ import annotations

import math

import numpy as np

RESAMPLES = 4000
MIN_STRETCHES = 8  # fewer say nothing about the spread between them


def interval_per_byte(
    bits: np.ndarray, num_bytes: np.ndarray, *, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of sum(bits) / sum(num_bytes), one of each a character in its order.

    The same for the same seed; nan for a text of fewer than `MIN_STRETCHES` stretches and where a value is
    infinite. Pass the difference of two ways to read a text for a paired interval.
    """
    size = len(bits)
    length = max(1, round(math.sqrt(size)))
    if size // length < MIN_STRETCHES or not np.isfinite(bits).all():
        return float("nan"), float("nan")
    starts = np.random.default_rng(seed).integers(size, size=(RESAMPLES, math.ceil(size / length)))
    # The text is a circle: every character is in as many stretches.
    sums = [_stretch_sums(np.asarray(values, dtype=float), length) for values in (bits, num_bytes)]
    figures = sums[0][starts].sum(axis=1) / sums[1][starts].sum(axis=1)
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _stretch_sums(values: np.ndarray, length: int) -> np.ndarray:
    """The sum of the stretch that begins at each character."""
    sums = np.cumsum([0.0, *values, *values[: length - 1]])
    return sums[length:] - sums[:-length]
