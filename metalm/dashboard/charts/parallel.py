"""Parallel coordinates: settings and an outcome as upright axes, every run a line across them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame

BEST = "smallest quarter"
OTHERS = "others"
WITHOUT = "no figure yet"
_MAX_LABELS = 12  # of an axis of words
_MAX_DIGITS = 15  # more tell no two numbers apart
_FEW = 12  # values on an axis: many lines would meet in them, and stand side by side instead
_MANY = 40  # lines: they are thinner
_BREADTH = 0.05  # of lines side by side


def parallel_coordinates(table: pd.DataFrame, labels: Sequence[str], outcome: str) -> go.Figure:
    """Lines of runs. table: index = names of runs, a column an axis, `outcome` one of them (less is better).

    labels: of the columns, in their order. Runs whose outcome is in the smallest quarter stand out by colour
    and width. A run without a value on an axis skips it.
    """
    if len(table) < 2 or table.shape[1] < 2:
        return frame.empty("two runs that differ in a setting are needed")
    places, figure = [], go.Figure()
    for column in table:
        place, ticks = _axis(table[column])
        places.append(place)
        _draw_axis(figure, len(places) - 1, labels[len(places) - 1], ticks)
    heights = np.column_stack([_side_by_side(place) for place in places])
    outcomes = table[outcome].to_numpy(float, na_value=np.nan)
    bound = np.nanquantile(outcomes, 0.25) if np.isfinite(outcomes).any() else -np.inf
    kinds = np.where(np.isnan(outcomes), WITHOUT, np.where(outcomes <= bound, BEST, OTHERS))
    for name, colour, width, dash in (
        (WITHOUT, palette.BORDER[0], 1, "dot"),
        (OTHERS, frame.translucent(palette.NEUTRAL[0], 0.6), 1, "solid"),
        (BEST, palette.ACCENT[0], 2.5 if len(table) <= _MANY else 1.6, "solid"),
    ):
        if (kinds == name).any():
            line = {"color": colour, "width": width, "dash": dash}
            figure.add_trace(_lines(table[kinds == name], heights[kinds == name], labels, name, line))
    frame.dress(figure, height=460)
    figure.update_layout(margin={"t": 84, "b": 24, "l": 24, "r": 60}, legend={"y": 1.14}, hovermode="closest")
    figure.update_xaxes(visible=False, range=[-0.15, len(places) - 0.45], fixedrange=True)
    return figure.update_yaxes(visible=False, range=[-0.08, 1.08], fixedrange=True)


def _axis(values: pd.Series) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Where each value stands on its axis, 0 to 1, and what is written there."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(float, na_value=np.nan)
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        if low > 0 and high >= 20 * low:
            place = (np.log(numbers) - np.log(low)) / (np.log(high) - np.log(low))
            middle = float(np.sqrt(low * high))
        else:
            place = (numbers - low) / (high - low) if high > low else numbers * 0 + 0.5
            middle = float((low + high) / 2)
        if low == high:
            return place, [(0.5, f"{low:.4g}")]
        return place, list(zip((0.0, 0.5, 1.0), _told_apart(low, middle, high), strict=True))
    words = sorted(values.dropna().astype(str).unique())
    at = {word: i / max(1, len(words) - 1) if len(words) > 1 else 0.5 for i, word in enumerate(words)}
    place = values.map(lambda word: at.get(str(word), np.nan), na_action="ignore").to_numpy(float)
    step = -(-len(words) // _MAX_LABELS)
    return place, [(at[word], frame.shorten(word, 16)) for word in words[::step]]


def _told_apart(low: float, middle: float, high: float) -> list[str]:
    """Three ticks, with as many digits as it takes for no two to be alike."""
    ticks = [f"{low:.4g}", f"{middle:.3g}", f"{high:.4g}"]
    for digits in range(4, _MAX_DIGITS + 1):
        if len(set(ticks)) == len(ticks):
            break
        ticks = [f"{value:.{digits}g}" for value in (low, middle, high)]
    return ticks


def _side_by_side(place: np.ndarray) -> np.ndarray:
    """Lines that meet in one of few values a little apart, so that one sees how many they are."""
    values = np.unique(place[~np.isnan(place)])
    if len(values) > _FEW or len(place) <= len(values):
        return place
    apart = place.copy()
    for value in values:
        here = np.flatnonzero(place == value)
        if len(here) > 1:
            breadth = min(_BREADTH, 0.004 * len(here))
            apart[here] += np.linspace(-breadth, breadth, len(here))
    return apart


def _draw_axis(figure: go.Figure, x: int, label: str, ticks: Sequence[tuple[float, str]]) -> None:
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, line={"color": palette.BORDER[0], "width": 1.5})
    title = {"size": 12.5, "color": frame.TEXT}
    # Titles stand on two heights in turn, or long ones would run into each other.
    figure.add_annotation(
        x=x, y=1, text=frame.shorten(label, 22), showarrow=False, yshift=26 if x % 2 else 44, font=title
    )
    for y, text in ticks:
        figure.add_annotation(
            x=x,
            y=y,
            text=text,
            showarrow=False,
            xanchor="left",
            xshift=5,
            bgcolor=frame.BACKGROUND,
            borderpad=1,
            font={"size": 11, "color": frame.MUTED},
        )


def _lines(
    part: pd.DataFrame, heights: np.ndarray, labels: Sequence[str], name: str, line: dict[str, object]
) -> go.Scatter:
    """All runs of one kind as one trace, a gap after each."""
    num, axes = heights.shape
    gap = np.full((num, 1), np.nan)
    told = []
    for run, values in zip(part.index, part.itertuples(index=False, name=None), strict=True):
        rows = [f"{frame.safe(label)}: {_shown(value)}" for label, value in zip(labels, values, strict=True)]
        told += [f"<b>{frame.safe(str(run))}</b><br>" + "<br>".join(rows)] * (axes + 1)
    return go.Scatter(
        x=np.tile([*range(axes), np.nan], num),
        y=np.hstack([heights, gap]).ravel(),
        mode="lines+markers",
        marker={"size": 5 if name == BEST else 3},
        line=line,
        name=f"{name} ({num})",
        text=told,
        hovertemplate="%{text}<extra></extra>",
    )


def _shown(value: object) -> str:
    if value is None or value != value or value is pd.NA:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else frame.safe(str(value))
