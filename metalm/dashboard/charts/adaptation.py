"""What adaptation brings: over steps, over support bytes, and along one text.

Evaluated lines come from `metalm.evaluate.statistics`, so their column `series` names a run or a baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm import units
from metalm.dashboard import palette
from metalm.dashboard.charts import frame
from metalm.dashboard.palette import RunStyle

Over = Literal["adaptation_step", "support_bytes"]
_X_TITLES: dict[Over, str] = {
    "adaptation_step": "adaptation steps",
    "support_bytes": "support set (bytes, not to scale)",
}
_BANDS = 4  # more of them hide each other


def adaptation_curves(
    points: pd.DataFrame,
    styles: Mapping[str, RunStyle],
    over: Over,
    *,
    unit: str = "bits per byte",
    trained: Mapping[str, int] | None = None,
) -> go.Figure:
    """One line a series over adaptation steps or support sizes.

    Columns: series, `over`, and either mean (in `unit`; low and high draw the 95 % interval, tasks is told on
    hover) or summed nats and bytes (bits per byte is derived). trained: of series, the adaptation steps that
    they learned with; those beyond have hollow markers, and a word on hover.
    """
    points = points[points["series"].isin(styles)]
    if points.empty:
        return frame.empty("no evaluation yet")
    if "mean" not in points:
        points = points.assign(mean=units.bits_per_byte(points["nats"], points["bytes"]))
    sizes = sorted(points[over].unique())
    # Support sizes start at 0 and spread over decades: even places show all of them.
    place = {size: i for i, size in enumerate(sizes)} if over == "support_bytes" else {s: s for s in sizes}
    figure = go.Figure()
    drawn = {series: points[points["series"] == series].sort_values(over) for series in styles}
    drawn = {series: line for series, line in drawn.items() if len(line)}
    runs = [series for series in drawn if styles[series].colour != palette.NEUTRAL[0]]
    for series, line in drawn.items():
        x = [place[size] for size in line[over]]
        if "low" in line and series in runs and len(runs) <= _BANDS:
            figure.add_trace(_band(x, line["low"], line["high"], styles[series]))
        known = (trained or {}).get(series) if over == "adaptation_step" else None
        figure.add_trace(_line(x, line, styles[series], over, unit, known))
        if over == "adaptation_step" and len(line) == 1 and len(sizes) > 1:
            figure.add_trace(_reference(sizes, float(line["mean"].iloc[0]), styles[series]))
    frame.dress(figure)
    figure.update_xaxes(title_text=_X_TITLES[over])
    if over == "support_bytes":
        figure.update_xaxes(tickvals=list(place.values()), ticktext=[frame.bytes_label(s) for s in sizes])
    elif len(sizes) <= 12:
        figure.update_xaxes(tickvals=_apart(sizes))
    return figure.update_yaxes(title_text=unit)


def _apart(sizes: list[int]) -> list[int]:
    """Those that can be labelled without running into each other: the ends, and what is far from the next."""
    least, kept = (sizes[-1] - sizes[0]) / 16, [sizes[0]]
    for size in sizes[1:-1]:
        if size - kept[-1] >= least and sizes[-1] - size >= least:
            kept.append(size)
    return [*kept, *sizes[1:][-1:]]


def _reference(sizes: list, value: float, style: RunStyle) -> go.Scatter:
    """What does not adapt stays where it is: a level line from its only point on."""
    return go.Scatter(
        x=[sizes[0], sizes[-1]],
        y=[value, value],
        mode="lines",
        line={"color": style.colour, "dash": style.dash, "width": 1.2},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=style.name,
    )


def _band(x: list, low: pd.Series, high: pd.Series, style: RunStyle) -> go.Scatter:
    return go.Scatter(
        x=[*x, *reversed(x)],
        y=[*high.fillna(low), *low[::-1]],
        fill="toself",
        fillcolor=frame.translucent(style.colour, 0.14),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=style.name,
    )


def _line(
    x: list, line: pd.DataFrame, style: RunStyle, over: Over, unit: str, trained: int | None
) -> go.Scatter:
    notes = [_note(row, over) for row in line.itertuples(index=False)]
    beyond = [trained is not None and at > trained for at in line[over]]
    if any(beyond):
        told = f"<br>beyond the {trained} steps that it learned with"
        notes = [note + told if far else note for note, far in zip(notes, beyond, strict=True)]
    return go.Scatter(
        x=x,
        y=line["mean"].to_numpy(float),
        customdata=notes,
        name=frame.safe(style.name),
        legendgroup=style.name,
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={
            "symbol": style.symbol,
            "size": 8,
            "color": [frame.BACKGROUND if far else style.colour for far in beyond],
            "line": {"width": 1.6, "color": style.colour},
        },
        hovertemplate="%{y:.3f} " + unit + "%{customdata}<extra>%{fullData.name}</extra>",
    )


def _note(row, over: Over) -> str:
    """What hover says below the value: where we are, number of tasks, median and interval."""
    low, high, tasks, median = (getattr(row, name, np.nan) for name in ("low", "high", "tasks", "median"))
    interval = f"<br>95 % interval {low:.3f} to {high:.3f}" if low == low else ""
    mean_of = f"<br>mean of {tasks:.0f} tasks" if tasks == tasks else ""
    mean_of += f", median {median:.3f}" if median == median else ""
    at = getattr(row, over)
    where = f"after {at:.0f} steps" if over == "adaptation_step" else f"{at:,.0f} bytes of support"
    return f"<br>{where}{mean_of}{interval}"


def saved_along_text(points: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """Bits saved by adaptation, summed from the start of the query set: where the curve climbs, it paid.

    Columns: series, character (position in the query set), before, after (bits of that character).
    """
    points = points[points["series"].isin(styles)]
    if points.empty:
        return frame.empty("no adapted text yet")
    figure = go.Figure()
    for series, line in points.groupby("series", sort=False):
        saved = (line["before"] - line["after"]).cumsum().to_numpy(float)
        # A cumulated sum may be sampled: every point holds all that lies before it.
        kept = np.unique(np.linspace(0, len(line) - 1, min(len(line), frame.MAX_POINTS)).round().astype(int))
        style = styles[series]
        figure.add_trace(
            go.Scatter(
                x=line["character"].to_numpy()[kept],
                y=saved[kept],
                name=frame.safe(style.name),
                mode="lines",
                line={"color": style.colour, "dash": style.dash, "width": 2},
                hovertemplate="%{y:,.0f} bits saved by character %{x:,}<extra>%{fullData.name}</extra>",
            )
        )
    frame.dress(figure)
    figure.add_hline(y=0, line={"color": frame.BORDER, "width": 1})
    figure.update_xaxes(title_text="position in the query set (characters)")
    return figure.update_yaxes(title_text="bits saved so far")
