"""How tasks spread while runs learn: a ribbon over outer steps, and the loss along both time axes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm import units
from metalm.dashboard import palette
from metalm.dashboard.charts import frame
from metalm.dashboard.palette import RunStyle

_QUANTILES = ["lowest", "low", "median", "high", "highest"]
_RIBBONS = 3  # more of them hide each other


def task_ribbons(points: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """The median task of each run over outer steps, in a ribbon of the middle 80 % of the tasks.

    Columns: those of `TaskMetrics.spread`. Up to three runs have ribbons; the easiest and the hardest task
    are thin lines when there is one run.
    """
    points = points[points["run"].isin(styles)]
    if points.empty:
        return frame.empty("no meta-validation yet")
    points = points.assign(**{name: units.bits_per_byte(points[name], 1.0) for name in _QUANTILES})
    figure = go.Figure()
    drawn = [run for run in styles if (points["run"] == run).any()]
    for run in drawn:
        line = points[points["run"] == run].sort_values("step")
        if len(drawn) <= _RIBBONS:
            figure.add_trace(_ribbon(line, styles[run]))
        if len(drawn) == 1:
            figure.add_traces([_edge(line, styles[run], name) for name in ("lowest", "highest")])
        figure.add_trace(_median(line, styles[run]))
    frame.dress(figure)
    figure.update_xaxes(title_text="outer steps")
    return figure.update_yaxes(title_text="bits per byte, after adaptation")


def _ribbon(line: pd.DataFrame, style: RunStyle) -> go.Scatter:
    return go.Scatter(
        x=[*line["step"], *line["step"][::-1]],
        y=[*line["high"], *line["low"][::-1]],
        fill="toself",
        fillcolor=frame.translucent(style.colour, 0.16),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=style.name,
    )


def _edge(line: pd.DataFrame, style: RunStyle, name: str) -> go.Scatter:
    return go.Scatter(
        x=line["step"].to_numpy(),
        y=line[name].to_numpy(float),
        mode="lines",
        line={"color": style.colour, "width": 1, "dash": "dot"},
        opacity=0.7,
        hoverinfo="skip",
        showlegend=False,
        legendgroup=style.name,
    )


def _median(line: pd.DataFrame, style: RunStyle) -> go.Scatter:
    return go.Scatter(
        x=line["step"].to_numpy(),
        y=line["median"].to_numpy(float),
        customdata=line[["step", "tasks", "low", "high", "lowest", "highest"]].to_numpy(float),
        name=frame.safe(style.name),
        legendgroup=style.name,
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 2},
        marker={"symbol": style.symbol, "size": 6},
        hovertemplate="median %{y:.3f} bits per byte<br>outer step %{customdata[0]:,.0f}, "
        "%{customdata[1]:,.0f} tasks<br>middle 80 % from %{customdata[2]:.3f} to %{customdata[3]:.3f}"
        "<br>easiest %{customdata[4]:.3f}, hardest %{customdata[5]:.3f}<extra>%{fullData.name}</extra>",
    )


def task_over_training(points: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """What one task cost each run over outer steps. Columns: run, step, nats, bytes."""
    points = points[points["run"].isin(styles)]
    if points.empty:
        return frame.empty("no meta-validation yet")
    figure = go.Figure()
    for run, style in styles.items():
        line = points[points["run"] == run].sort_values("step")
        if line.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=line["step"].to_numpy(),
                y=units.bits_per_byte(line["nats"], line["bytes"]).to_numpy(float),
                name=frame.safe(style.name),
                mode="lines+markers",
                line={"color": style.colour, "dash": style.dash, "width": 2},
                marker={"symbol": style.symbol, "size": 6},
                hovertemplate="%{y:.3f} bits per byte<br>outer step %{x:,}<extra>%{fullData.name}</extra>",
            )
        )
    frame.dress(figure)
    figure.update_xaxes(title_text="outer steps")
    return figure.update_yaxes(title_text="bits per byte, after adaptation")


def two_axes(points: pd.DataFrame, *, chosen: int, trained: int | None = None) -> go.Figure:
    """Outer steps x adaptation steps, bits per byte in each cell; the column of `chosen` is framed.

    Columns: first, last (outer steps of a column), adaptation_step, bits. chosen: a value of `last`. trained:
    the adaptation steps that the run learned with; those beyond are told by a line.
    """
    if points.empty:
        return frame.empty("no adaptation step measured yet")
    cells = points.pivot_table(index="adaptation_step", columns="last", values="bits")
    names = [_range(row) for row in _columns(points).itertuples(index=False)]
    steps = [str(step) for step in cells.index]
    figure = go.Figure(
        go.Heatmap(
            z=cells.to_numpy(np.float32),
            x=names,
            y=steps,
            colorscale=palette.colour_scale(palette.SEQUENTIAL),
            hovertemplate="<b>outer steps %{x}</b><br>after %{y} adaptation steps: %{z:.3f} bits per byte"
            "<extra></extra>",
            hoverongaps=False,
            xgap=1 if len(names) <= 40 else 0,
            ygap=1,
            colorbar=frame.colour_bar("bits per byte"),
        )
    )
    frame.dress(figure, height=max(240, 120 + 26 * len(steps)), legend=False)
    column = list(cells.columns).index(chosen)
    figure.add_shape(
        type="rect",
        x0=column - 0.5,
        x1=column + 0.5,
        y0=-0.5,
        y1=len(steps) - 0.5,
        line={"color": frame.TEXT, "width": 2},
    )
    beyond = [i for i, step in enumerate(cells.index) if trained is not None and step > trained]
    if beyond:
        figure.add_hline(y=beyond[0] - 0.5, line={"color": frame.TEXT, "width": 1.2, "dash": "dash"})
    figure.update_xaxes(title_text="outer steps", type="category", showgrid=False, nticks=12)
    return figure.update_yaxes(title_text="adaptation step", type="category", showgrid=False)


def _columns(points: pd.DataFrame) -> pd.DataFrame:
    """The ranges of outer steps, one line each: a range may lack some adaptation steps."""
    return points.groupby("last", as_index=False)["first"].min().sort_values("last")


def _range(row) -> str:
    return f"{row.last:,}" if row.first == row.last else f"{row.first:,} – {row.last:,}"
