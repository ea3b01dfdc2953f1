"""Learning curves: one line a run and part, in any unit, with a smoothed line before the raw one.

Values are derived from summed nats and counts, also in smoothing and thinning: both act on the sums, so no
average of averages is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metalm.dashboard import palette
from metalm.dashboard.charts import frame
from metalm.dashboard.palette import RunStyle
from metalm.evaluate.statistics import UNITS, Unit

Progress = Literal["step", "tokens", "wall_seconds", "gradient_evaluations", "flops"]
PROGRESS: dict[Progress, str] = {
    "step": "outer steps",
    "tokens": "tokens trained on",
    "wall_seconds": "seconds, meta-validation included",
    "gradient_evaluations": "gradient evaluations (tokens)",
    "flops": "estimated FLOPs",
}
_LARGE = ("tokens", "gradient_evaluations", "flops")  # told as 2 M, 3 G
_COUNTS = ["nats", "tokens", "bytes", "chars"]


@dataclass(frozen=True, kw_only=True)
class CurveView:
    """How learning curves are looked at. `smoothing` is the share kept of the past, 0 to 0.99."""

    unit: Unit = "bits per byte"
    x: Progress = "step"
    log_x: bool = False
    log_y: bool = False
    smoothing: float = 0.0


DEFAULT_VIEW = CurveView()
SPIKE = {"spikethickness": 1, "spikedash": "dot", "spikecolor": frame.BORDER, "spikemode": "across"}


def learning_curves(
    curve: pd.DataFrame,
    styles: Mapping[str, RunStyle],
    view: CurveView = DEFAULT_VIEW,
    vocabularies: Mapping[str, str] | None = None,
) -> go.Figure:
    """Loss against training. Columns: run, part, x, nats, tokens, bytes, chars (sums), in any order of rows.

    `x` holds what `view.x` names. One run: its parts on one plot. Several runs: a plot a part. Perplexity and
    nats per token of two vocabularies (run -> name in `vocabularies`) never share a plot: each gets its own.
    """
    curve = _in_order(curve[curve["run"].isin(styles)], styles)
    if curve.empty:
        return frame.empty("no points yet")
    panels = _panels(curve, view.unit, vocabularies or {})
    titled = list(panels) if len(panels) > 1 else None
    height = 340 + 250 * (len(panels) - 1)
    gap = 30 / height  # pixels, as a share
    figure = make_subplots(rows=len(panels), shared_xaxes=True, vertical_spacing=gap, subplot_titles=titled)
    # In the plot's upper right corner: losses fall, so it is empty, and the legend keeps the upper left.
    figure.update_annotations(
        x=0.995, xanchor="right", yanchor="top", font={"size": 13, "color": frame.MUTED}
    )
    named: set[str] = set()
    for row, points in enumerate(panels.values(), start=1):
        for (run, part), line in points.groupby(["run", "part"], sort=False):
            shown = _parts_or_runs(styles, run, part)
            _add_line(figure, row, line, shown, view, legend=shown.name not in named)
            named.add(shown.name)
        values = np.concatenate([trace.y for trace in figure.select_traces(row=row)])
        figure.update_yaxes(title_text=view.unit, row=row, **frame.log_or_linear(view.log_y, values))
    frame.dress(figure, height=height)
    figure.update_xaxes(**x_axis(view), showspikes=True, **SPIKE)
    figure.update_xaxes(title_text=PROGRESS[view.x], row=len(panels))
    return figure.update_layout(hovermode="x unified" if len(styles) <= 8 else "closest")


def x_axis(view: CurveView) -> dict[str, Any]:
    """Settings of an x axis along training, but for its title."""
    large = {"tickformat": "~s"} if view.x in _LARGE and not view.log_x else {}
    return {**frame.log_or_linear(view.log_x), **large}


def _in_order(curve: pd.DataFrame, styles: Mapping[str, RunStyle]) -> pd.DataFrame:
    """The runs in the order of `styles`, as the legend should have them; within a run as they came."""
    place = curve["run"].map({run: i for i, run in enumerate(styles)}).to_numpy()
    return curve.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def _panels(curve: pd.DataFrame, unit: Unit, vocabularies: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Plot title -> its rows. One run's parts share a plot; vocabularies do not when the unit is by token."""
    by_part = curve["run"].nunique() > 1 and curve["part"].nunique() > 1
    by_vocabulary = unit in ("perplexity", "nats per token")
    vocabulary = curve["run"].map(lambda run: vocabularies.get(run, "")) if by_vocabulary else ""
    keys = pd.DataFrame(
        {"part": curve["part"] if by_part else "", "vocabulary": vocabulary}, index=curve.index
    )
    titled = keys["vocabulary"].nunique() > 1
    panels = {}
    for (part, words), index in keys.groupby(["part", "vocabulary"], sort=False).groups.items():
        title = [part, f"vocabulary: {frame.safe(words)}" if titled else ""]
        panels[" · ".join(filter(None, title))] = curve.loc[index]
    return panels


def _parts_or_runs(styles: Mapping[str, RunStyle], run: str, part: str) -> RunStyle:
    """With one run, colours tell its parts apart; with several, they tell the runs apart."""
    style = styles[run]
    if len(styles) > 1 or part not in palette.PARTS:
        return style
    return RunStyle(part, palette.PARTS[part][0], "solid", style.symbol)


def _add_line(
    figure: go.Figure, row: int, points: pd.DataFrame, style: RunStyle, view: CurveView, *, legend: bool
) -> None:
    points = thinned(points.sort_values("x", kind="stable"))
    x = frame.placed(points["x"].to_numpy(float), log=view.log_x)
    if view.smoothing > 0:
        behind = go.Scatter(
            x=x,
            y=frame.placed(_values(points, view.unit), log=view.log_y),
            mode="lines",
            line={"color": style.colour, "width": 1},
            opacity=0.3,
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_trace(behind, row=row, col=1)
    line = go.Scatter(
        x=x,
        y=frame.placed(_values(smoothed(points, view.smoothing), view.unit), log=view.log_y),
        name=frame.safe(style.name),
        uid=f"{style.name}/{row}",  # a line hidden by the reader stays hidden when others come
        legendgroup=style.name,
        showlegend=legend,
        mode="lines+markers" if len(points) <= 40 and not view.smoothing else "lines",
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={"symbol": style.symbol, "size": 6},
        hovertemplate="%{y:.4g} " + view.unit + "<extra>%{fullData.name}</extra>",
    )
    figure.add_trace(line, row=row, col=1)


def _values(points: pd.DataFrame, unit: Unit) -> np.ndarray:
    derive, count = UNITS[unit]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = derive(points["nats"].to_numpy(float), points[count].to_numpy(float))
    return np.where(np.isfinite(values), values, np.nan)  # a gap in the line


def smoothed(points: pd.DataFrame, smoothing: float) -> pd.DataFrame:
    """Exponentially weighted sums of nats and counts, row by row; 0 leaves them as they are."""
    if smoothing <= 0:
        return points
    # A NaN loss takes its counts with it, or the tokens behind it would count without their nats.
    scored = points[_COUNTS].astype(float).where(np.isfinite(points["nats"].astype(float)), axis=0)
    sums = scored.ewm(alpha=1 - smoothing, ignore_na=True).mean()
    return points.assign(**{name: sums[name] for name in _COUNTS})


def thinned(points: pd.DataFrame, max_points: int = frame.MAX_POINTS) -> pd.DataFrame:
    """At most `max_points` rows: neighbours are summed, each sum at its last x; nothing is left out."""
    if len(points) <= max_points:
        return points
    bucket = np.arange(len(points)) * max_points // len(points)
    # min_count keeps a bucket of NaN a NaN instead of a loss of zero.
    sums = points[_COUNTS].groupby(bucket).sum(min_count=1)
    return sums.assign(x=points["x"].groupby(bucket).last())
