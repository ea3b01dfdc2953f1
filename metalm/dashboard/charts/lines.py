"""What lines along training share: how they look along x, how they are smoothed, and the band around them.

**Smoothing.** A point keeps `smoothing` of what came before, for every `pace` of x between them:

    S_i = smoothing ** ((x_i - x_{i-1}) / pace) * S_{i-1} + c_i,    shown_i = S_i(nats) / S_i(count)

`c` are the sums of a point, so that one of many reports weighs as much as these would; `pace` is the power of
two at or above a hundredth of the span of x: the same for every line and, while runs go on, for long.
"""

from __future__ import annotations

import base64
import math
from bisect import bisect
from dataclasses import dataclass
from typing import Any

import numpy as np

from metalm.dashboard.charts import frame
from metalm.dashboard.palette import RunStyle
from metalm.evaluate.statistics import Unit

Trace = dict[str, Any]  # of plotly, by `type`; cheaper than its classes where there are hundreds
PROGRESS = {
    "step": "outer steps",
    "tokens": "tokens trained on",
    "wall_seconds": "seconds of training, meta-validation included",
    "clock_seconds": "seconds by the clock since the run began",
    "gradient_evaluations": "gradient evaluations (tokens)",
    "flops": "estimated FLOPs",
}
_KINDS = {"int32": "i4", "float32": "f4"}  # of `packed` -> as plotly.js calls them
_LARGE = ("tokens", "gradient_evaluations", "flops")  # told as 2 M, 3 G
_OPACITY, _OPACITY_FROM = (0.18, 0.12, 0.05), (0, 2, 9)  # of bands, by the number of lines on a plot
_INNER = (0.02, 0.98)  # quantiles of what is no outlier
SPIKE = {"spikethickness": 1, "spikedash": "dot", "spikecolor": frame.BORDER, "spikemode": "across"}


@dataclass(frozen=True, kw_only=True)
class CurveView:
    """How curves are looked at.

    x: `step`, `tokens`, `wall_seconds` or a scalar. smoothing: the share kept of the past, 0 to 0.99.
    inliers: the y axes end where nearly all values do.
    """

    unit: Unit = "bits per byte"
    x: str = "step"
    log_x: bool = False
    log_y: bool = False
    smoothing: float = 0.0
    inliers: bool = False


DEFAULT_VIEW = CurveView()


def raw_behind(x: np.ndarray, values: np.ndarray, style: RunStyle) -> Trace:
    """The pale line from which a smoothed one is made."""
    return {
        "type": "scatter",
        "x": packed(x),
        "y": packed(values),
        "mode": "lines",
        "line": {"color": style.colour, "width": 1},
        "opacity": 0.3,
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": style.name,
    }


def x_title(x: str) -> str:
    """What an x axis counts; a scalar under its own name."""
    return PROGRESS.get(x) or frame.safe(x.replace("_", " "))


def x_axis(view: CurveView) -> dict[str, Any]:
    """Settings of an x axis along training, but for its title."""
    large = {"tickformat": "~s"} if view.x in _LARGE and not view.log_x else {}
    return {**frame.log_or_linear(view.log_x), **large}


def y_axis(view: CurveView, values: np.ndarray) -> dict[str, Any]:
    """Settings of a y axis with these values, but for its title."""
    axis = frame.log_or_linear(view.log_y, values)
    inner = values[np.isfinite(values) & ((values > 0) | (not view.log_y))]
    if not view.inliers or len(inner) == 0:
        return axis
    low, high = np.quantile(np.log10(inner) if view.log_y else inner, _INNER)
    margin = 0.08 * (high - low) or 0.5
    return {**axis, "range": [float(low - margin), float(high + margin)]}


def pace(x: np.ndarray) -> float:
    """The distance along x that smoothing is about: see above."""
    span = float(np.nanmax(x) - np.nanmin(x)) if len(x) else 0.0
    return 2.0 ** math.ceil(math.log2(span / 100)) if span > 0 else 1.0


def smoothed(x: np.ndarray, sums: np.ndarray, smoothing: float, pace: float) -> np.ndarray:
    """Sums (points x columns) with what is kept of those before: see above. What is not finite stays out."""
    kept, last, result = np.zeros(sums.shape[1]), x[0] if len(x) else 0.0, np.empty_like(sums)
    for i, (place, own) in enumerate(zip(x, sums, strict=True)):
        # A NaN loss takes its counts with it, or the tokens behind it would count without their nats.
        if np.isfinite(own).all():
            kept = smoothing ** (abs(place - last) / pace) * kept + own
            last = place
        result[i] = kept
    return result


def packed(values: np.ndarray) -> np.ndarray:
    """Numbers in four bytes each: all that a screen can show, and half of what would be sent."""
    whole = np.isfinite(values).all() and (np.abs(values) < 2**31).all() and (values == np.rint(values)).all()
    return values.astype(np.int32 if whole else np.float32)


def encoded(trace: Trace) -> Trace:
    """The trace with its arrays as plotly sends them, which takes it several times as long."""
    return {
        name: {"dtype": _KINDS[value.dtype.name], "bdata": base64.b64encode(value).decode("ascii")}
        if isinstance(value, np.ndarray) and len(value)
        else value
        for name, value in trace.items()
    }


def band(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, style: RunStyle, *, num_lines: int, uid: str
) -> Trace | None:
    """The area between the least and the greatest report of every point; None where each is one report.

    num_lines: on the same plot. uid: of the line.
    """
    drawn = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    x, low, high = x[drawn], low[drawn], high[drawn]
    if not (high > low).any():
        return None
    return {
        "type": "scatter",
        "x": packed(np.concatenate([x, x[::-1]])),
        "y": packed(np.concatenate([high, low[::-1]])),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": frame.translucent(style.colour, _OPACITY[bisect(_OPACITY_FROM, num_lines) - 1]),
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": style.name,
        "uid": f"band/{uid}",
    }
