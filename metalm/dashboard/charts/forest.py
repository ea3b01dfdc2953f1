"""Mean differences with their intervals, one below the other: one that does not touch zero is no chance."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard.charts import frame
from metalm.dashboard.charts.lines import Trace
from metalm.dashboard.palette import RunStyle
from metalm.evaluate.statistics import leaves_zero_out

_ROW = 24  # pixels a difference
_LINE, _TITLE = 36, 16  # characters of the axis title beside each other on a phone; pixels a line of it
_GAP = 0.8  # of a row, between groups


def forest_plot(
    lines: pd.DataFrame, styles: Mapping[str, RunStyle], *, control: str, unit: str = "bits per byte"
) -> go.Figure:
    """A row a (group, series), the series of a group together, each with its 95 % interval.

    Columns: those of `compare_facets.forest`. control: the name of what differences are to; left of the line
    at zero fewer bits are needed than by it.
    """
    lines = lines[lines["series"].isin(styles)].dropna(subset="difference")
    if lines.empty:
        return frame.empty(f"nothing was evaluated on the same tasks as {control}")
    place, heads, y = 0.0, [], []
    for _, part in lines.groupby("group", sort=False):
        heads.append((place, str(part["group"].iloc[0]), int(part["tasks"].max())))
        y += [place + 1 + i for i in range(len(part))]
        place += len(part) + 1 + _GAP
    lines = lines.assign(y=y, note=[_note(row) for row in lines.itertuples(index=False)])
    told = f"{unit}, less those of {frame.safe(control)} (below zero is better)"
    title = textwrap.wrap(told, _LINE, break_long_words=False)
    figure = frame.dress(go.Figure(), height=80 + _TITLE * len(title) + round(_ROW * place))
    figure.add_vline(x=0, line={"color": frame.MUTED, "width": 1.2})
    figure.update_xaxes(title_text="<br>".join(title))
    figure.update_yaxes(
        tickvals=[at for at, *_ in heads] + list(lines["y"]),
        ticktext=[f"<b>{frame.shorten(group)}</b> · {_tasks(num)}" for _, group, num in heads]
        + [frame.shorten(name) for name in lines["name"]],
        range=[place - _GAP, -0.8],
        ticks="",
        showgrid=False,
        showline=False,
    )
    traces = [_intervals(own, styles[series], unit) for series, own in lines.groupby("series", sort=False)]
    # Plotly's checks of dozens of traces take as long as the rest of the page; the tests make them.
    return go.Figure(traces, figure.layout, _validate=False)


def _tasks(num: int) -> str:
    return f"{num:,} task" + ("" if num == 1 else "s")


def _intervals(own: pd.DataFrame, style: RunStyle, unit: str) -> Trace:
    """Points of one series with their intervals; hollow where the interval holds zero, or there is none."""
    difference, low, high = (own[name].to_numpy(float) for name in ("difference", "low", "high"))
    is_clear = leaves_zero_out(low, high)
    return {
        "type": "scatter",
        "x": difference.tolist(),
        "y": own["y"].tolist(),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(high - difference).tolist(),
            "arrayminus": np.nan_to_num(difference - low).tolist(),
            "color": style.colour,
            "thickness": 2,
            "width": 4,
        },
        "customdata": list(own["note"]),
        "name": frame.safe(style.name),
        "mode": "markers",
        "marker": {
            "symbol": [style.symbol + ("" if clear else "-open") for clear in is_clear],
            "size": 9,
            "color": style.colour,
            "line": {"width": 1.6, "color": style.colour},
        },
        "hovertemplate": "%{x:+.4f} " + unit + "<br>%{customdata}<extra>%{fullData.name}</extra>",
    }


def _note(row) -> str:
    interval = f"95 % interval {row.low:+.4f} to {row.high:+.4f}" if row.low == row.low else "no interval"
    counts = f"better on {row.better}, equal on {row.equal}, worse on {row.worse}"
    return f"{interval}<br>{_tasks(row.tasks)} of <b>{frame.safe(str(row.group))}</b>: {counts}"
