"""What happens inside a training: small plots of measures over training, and heat maps of learned rates."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metalm.dashboard import palette
from metalm.dashboard.charts import frame
from metalm.dashboard.charts.curves import PROGRESS, SPIKE, CurveView, x_axis
from metalm.dashboard.palette import RunStyle

_ONE_PLOT, _ROW = 360, 190  # pixels
_GAP = 64  # between rows, for the titles in it
_MAX_COLUMNS = 3
_STEP_RAMP = palette.SEQUENTIAL[3:]  # paler ones cannot be told from the page


def measure_curves(
    points: pd.DataFrame, styles: Mapping[str, RunStyle], view: CurveView, title: str
) -> go.Figure:
    """A line a run, a plot a panel. Columns: run, panel ("" where there is one plot), x, value.

    Optional column adaptation_step: a single run then has a line a step, pale to dark; of several runs a line
    is a run, so that each of them must have one step at most. `view.unit` is not read; title: of the y axes.
    """
    points = points[points["run"].isin(styles)]
    if points.empty:
        return frame.empty("no points yet")
    panels = list(dict.fromkeys(points["panel"]))
    columns = min(len(panels), _MAX_COLUMNS if len(panels) > 4 else 2)
    figure = _grid(points, panels, columns, view, title)
    named: set[str] = set()
    for place, panel in enumerate(panels):
        row, column = place // columns + 1, place % columns + 1
        for style, line in _lines(points[points["panel"] == panel], styles):
            is_new = style.name not in named
            _add_line(figure, line, style, view, legend=is_new, row=row, col=column)
            named.add(style.name)
    if columns > 1:
        # The same plots one below the other: the chart component takes this layout where the page is narrow.
        narrow = _grid(points, panels, 1, view, title).layout.to_plotly_json()
        figure.update_layout(meta={"narrow": narrow})
    return figure


def _grid(points: pd.DataFrame, panels: list[str], columns: int, view: CurveView, title: str) -> go.Figure:
    """Empty plots, one a panel, row by row in `columns`; the axes of a panel have the same names in any."""
    rows = math.ceil(len(panels) / columns)
    height = _ONE_PLOT if rows == 1 else rows * (_ROW + _GAP) + 60
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
    for place, panel in enumerate(panels):
        where = {"row": place // columns + 1, "col": place % columns + 1}
        values = points.loc[points["panel"] == panel, "value"].to_numpy(float)
        figure.update_yaxes(**where, **frame.log_or_linear(view.log_y, values))
        is_lowest = place + columns >= len(panels)
        figure.update_xaxes(title_text=PROGRESS[view.x] if is_lowest else "", **where)
    return _dressed(figure, view, title, height)


def _dressed(figure: go.Figure, view: CurveView, title: str, height: int) -> go.Figure:
    frame.dress(figure, height=height)
    # One zoom for all: what happened there in one plot is looked for in the others.
    figure.update_xaxes(**x_axis(view), matches="x", showspikes=True, **SPIKE)
    figure.update_yaxes(title_text=title, col=1)
    # The legend above the titles of the first row of plots.
    figure.update_layout(margin={"t": 62}, legend={"y": 1 + 24 / (height - 80)}, hovermode="x unified")
    return figure


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
    points = points.sort_values("x", kind="stable")
    x, values = frame.placed(points["x"].to_numpy(float), log=view.log_x), points["value"].astype(float)
    if view.smoothing > 0:
        behind = {"color": style.colour, "width": 1}
        figure.add_trace(
            go.Scatter(
                x=x,
                y=frame.placed(values.to_numpy(), log=view.log_y),
                mode="lines",
                line=behind,
                opacity=0.3,
                hoverinfo="skip",
                showlegend=False,
                legendgroup=style.name,
            ),
            **place,
        )
        values = values.ewm(alpha=1 - view.smoothing).mean()
    figure.add_trace(
        go.Scatter(
            x=x,
            y=frame.placed(values.to_numpy(), log=view.log_y),
            name=frame.safe(style.name),
            uid=f"{style.name}/{place['row']}/{place['col']}",
            legendgroup=style.name,
            showlegend=legend,
            mode="lines+markers" if len(points) <= 25 and not view.smoothing else "lines",
            line={"color": style.colour, "dash": style.dash, "width": 1.8},
            marker={"symbol": style.symbol, "size": 5},
            hovertemplate="%{y:.4g}<extra>%{fullData.name}</extra>",
        ),
        **place,
    )
