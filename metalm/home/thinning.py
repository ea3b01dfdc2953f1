"""The points of a run made few: what a bundle needs for its curves, and no more."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from metalm.errors import ConfigError

_VALIDATION = "validation_"


def thinned(points: pa.Table, max_points: int) -> pa.Table:
    """All points of `max_points` outer steps, and of as many with a validation; the first and last are there.

    points: the columns of `metalm.store.metrics.Point`. A step stays or goes as a whole: what curves add up
    over tasks, or draw over compute, still fits together. Raises ConfigError when max_points is below 2.
    """
    if max_points < 2:
        raise ConfigError(f"points of a curve must be 2 or more, got {max_points}")
    frame = points.select(["name", "step"]).to_pandas()
    is_validation = frame["name"].str.startswith(_VALIDATION)
    kept = [_evenly(frame["step"], max_points), _evenly(frame["step"][is_validation], max_points)]
    return points.filter(pa.array(frame["step"].isin(np.concatenate(kept))))


def _evenly(steps: np.ndarray, number: int) -> np.ndarray:
    """So many of the different steps, the first and the last among them; all where there are no more."""
    different = np.unique(steps)
    if len(different) <= number:
        return different
    return different[np.linspace(0, len(different) - 1, number).round().astype(int)]
