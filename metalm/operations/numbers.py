"""Numbers as lines carry them."""

from __future__ import annotations

import math


def finite(value: float | None) -> float | None:
    """A number that JSON knows: None for an infinite loss, the price of weights that diverged."""
    return value if value is not None and math.isfinite(value) else None
