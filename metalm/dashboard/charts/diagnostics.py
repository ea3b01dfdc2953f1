"""What happens inside a training: small plots of measures over training, and heat maps of learned rates."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metalm.dashboard import palette
from metalm.dashboard.charts import frame, lines
from metalm.dashboard.charts.lines import SPIKE, CurveView
from metalm.dashboard.palette import RunStyle

_ONE_PLOT, _ROW = 360, 190  # pixels
_GAP = 64  # between rows, for the titles in it
_MAX_COLUMNS = 3
_STEP_RAMP = palette.SEQUENTIAL[3:]  # paler ones cannot be told from the page


def measure_curves(
    points: pd.DataFrame, styles: Mapping[str, RunStyle], view: CurveView, title: str
) -> go.Figure:
    """A line a run, a plot a panel. Columns: run, panel ("" where there is one plot), step, x,
    value, low, high, reports.

    Optional column adaptation_step: a single run then has a line a step, pale to dark; of several runs a line
    is a run, so that each of them must have one step at most. `view.unit` is not read; title: of the y axes.
    """
    points = points[points["run"].isin(styles)]
    if points.empty:
        return frame.empty("no points yet")
    panels = list(points["panel"].unique())
    columns = min(len(panels), _MAX_COLUMNS if len(panels) > 4 else 2)
    rows = math.ceil(len(panels) / columns)
    height = _height(rows)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        specs=[
            [{} if row * columns + i < len(panels) else None for i in range(columns)] for row in range(rows)
        ],
        subplot_titles=[frame.shorten(panel, 34) for panel in panels],
        vertical_spacing=_GAP / height,
        horizontal_spacing=0.09 if columns > 1 else 0.0,
    )
    figure.update_annotations(font={"size": 12.5, "color": frame.MUTED})
    named: set[str] = set()
    for place, panel in enumerate(panels):
        row, column = place // columns + 1, place % columns + 1
        own = points[points["panel"] == panel]
        for style, line in _lines(own, styles):
            is_new = style.name not in named
            _add_line(figure, line, style, view, legend=is_new, row=row, col=column)
            named.add(style.name)
        values = own["value"].to_numpy(float)
        figure.update_yaxes(row=row, col=column, **lines.y_axis(view, values))
        is_lowest = place + columns >= len(panels)
        figure.update_xaxes(title_text=lines.x_title(view.x) if is_lowest else "", row=row, col=column)
    _dressed(figure, view, title, height)
    if columns > 1:
        figure.update_layout(meta={"narrow": _one_column(figure.layout.to_plotly_json(), len(panels))})
    return figure


def _one_column(layout: dict, num: int) -> dict:
    """The layout with its `num` plots one below the other: the chart takes it where the page is narrow.

    Changed as plain data: to have plotly lay the plots out again would take as long as all the rest.
    """
    height = _height(num)
    gap = _GAP / height
    share = (1 - (num - 1) * gap) / num
    for place, note in enumerate(layout["annotations"]):
        number = str(place + 1) if place else ""
        top = 1 - place * (share + gap)
        x_axis, y_axis = layout[f"xaxis{number}"], layout[f"yaxis{number}"]
        x_axis["domain"], y_axis["domain"] = [0.0, 1.0], [max(0.0, top - share), top]
        note["x"], note["y"] = 0.5, top
        y_axis["title"]["text"] = layout["yaxis"]["title"]["text"]
        if place < num - 1:
            x_axis["title"]["text"] = ""
    layout["height"], layout["legend"]["y"] = height, _legend_y(height)
    return layout


def _height(rows: int) -> int:
    return _ONE_PLOT if rows == 1 else rows * (_ROW + _GAP) + 60


def _legend_y(height: int) -> float:
    """Above the titles of the first row of plots."""
    return 1 + 24 / (height - 80)


def _dressed(figure: go.Figure, view: CurveView, title: str, height: int) -> None:
    frame.dress(figure, height=height)
    # One zoom for all: what happened there in one plot is looked for in the others.
    figure.update_xaxes(**lines.x_axis(view), matches="x", showspikes=True, **SPIKE)
    figure.update_yaxes(title_text=title, col=1)
    figure.update_layout(margin={"t": 62}, legend={"y": _legend_y(height)}, hovermode="x unified")


def _lines(points: pd.DataFrame, styles: Mapping[str, RunStyle]) -> list[tuple[RunStyle, pd.DataFrame]]:
    """What is one line: an adaptation step of a single run, or a run, in the order of `styles`."""
    if len(styles) == 1 and "adaptation_step" in points and points["adaptation_step"].notna().any():
        steps = sorted(points["adaptation_step"].dropna().unique())
        return [
            (_step_style(int(step), i, len(steps)), points[points["adaptation_step"] == step])
            for i, step in enumerate(steps)
        ]
    by_run = {run: points[points["run"] == run] for run in styles}
    return [(styles[run], line) for run, line in by_run.items() if len(line)]


def _step_style(step: int, place: int, num: int) -> RunStyle:
    shade = round(place * (len(_STEP_RAMP) - 1) / max(1, num - 1))
    dash = palette.DASHES[0] if num <= len(_STEP_RAMP) else palette.DASHES[place % len(palette.DASHES)]
    return RunStyle(f"step {step}", _STEP_RAMP[shade][0], dash, "circle")


def _add_line(
    figure: go.Figure, points: pd.DataFrame, style: RunStyle, view: CurveView, *, legend: bool, **place: int
) -> None:
    points = points.sort_values("step", kind="stable")
    raw_x = points["x"].to_numpy(float)
    x = frame.placed(raw_x, log=view.log_x)
    values, low, high = (
        frame.placed(points[name].to_numpy(float), log=view.log_y) for name in ("value", "low", "high")
    )
    uid = f"{style.name}/{place['row']}/{place['col']}"
    shown = values
    traces = [lines.band(x, low, high, style, num_lines=1, uid=uid)]
    if view.smoothing > 0:
        traces.append(lines.raw_behind(x, values, style))
        weights = points["reports"].to_numpy(float)
        sums = np.stack([points["value"].to_numpy(float) * weights, weights], axis=1)
        kept = lines.smoothed(raw_x, sums, view.smoothing, lines.pace(raw_x))
        shown = frame.placed(kept[:, 0] / kept[:, 1], log=view.log_y)
    line = go.Scatter(
        x=lines.packed(x),
        y=lines.packed(shown),
        name=frame.safe(style.name),
        uid=uid,
        legendgroup=style.name,
        showlegend=legend,
        mode="lines+markers" if len(points) <= 25 and not view.smoothing else "lines",
        line={"color": style.colour, "dash": style.dash, "width": 1.8},
        marker={"symbol": style.symbol, "size": 5},
        hovertemplate="%{y:.4g}<extra>%{fullData.name}</extra>",
    )
    for trace in (*traces, line):
        if trace is not None:
            figure.add_trace(trace, **place)
