"""Scaling curves: a + b n^-c through means over tasks, with intervals by drawing the tasks again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
EXPONENTS = (0.05, 4.0)  # the ends of what is tried
_TRIED = np.geomspace(*EXPONENTS, 300)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """floor + scale * n ** -exponent; floor and exponent each with the ends of its 95 % interval."""

    floor: float
    scale: float
    exponent: float
    floor_interval: tuple[float, float]
    exponent_interval: tuple[float, float]

    def at(self, n: np.ndarray) -> np.ndarray:
        """Its values."""
        return self.floor + self.scale * np.asarray(n, dtype=float) ** -self.exponent


def fitted(n: np.ndarray, values: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES) -> Curve | None:
    """The curve of least squares through the means over tasks. None for fewer than three n.

    n: (points,), above 0. values: (tasks, points). Three points cannot put it to the test.
    """
    if len(n) < 3 or not np.isfinite(values).all():
        return None
    tasks = len(values)
    shares = np.random.default_rng(seed).multinomial(tasks, np.full(tasks, 1 / tasks), size=resamples) / tasks
    own = _least_squares(n, values.mean(axis=0, keepdims=True))[:, 0]
    drawn = _least_squares(n, shares @ values)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    return Curve(
        floor=float(own[0]),
        scale=float(own[1]),
        exponent=float(own[2]),
        floor_interval=(float(low[0]), float(high[0])),
        exponent_interval=(float(low[2]), float(high[2])),
    )


def _least_squares(n: np.ndarray, means: np.ndarray) -> np.ndarray:
    """(floor, scale, exponent) of each row of `means`, (3, rows): the best of a grid of exponents.

    Floor and scale are 0 or more: more data never costs bits, and no text is coded in fewer than none.
    """
    found, least = np.zeros((3, len(means))), np.full(len(means), np.inf)
    for exponent in _TRIED:
        x = np.asarray(n, dtype=float) ** -exponent
        centred = x - x.mean()
        scale = np.maximum(means @ centred / (centred @ centred), 0.0)
        floor = means.mean(axis=1) - scale * x.mean()
        below = floor < 0
        scale = np.where(below, np.maximum(means @ x / (x @ x), 0.0), scale)
        floor = np.where(below, 0.0, floor)
        error = ((floor[:, None] + scale[:, None] * x - means) ** 2).sum(axis=1)
        better = error < least
        least = np.where(better, error, least)
        found = np.where(better, np.stack([floor, scale, np.full(len(means), exponent)]), found)
    return found
