"""Task by task: from before adaptation to after it, or the one score of a track without steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard.charts import frame
from metalm.dashboard.palette import RunStyle

_ROW = 26  # pixels a task
MAX_TASKS = 200  # a figure


def task_dumbbells(tasks: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """Each task's way from before adaptation (hollow) to after it (filled), most helped task first.

    Columns: series, task (name), near (True, False or None: no mark), before, after (bits per byte).
    """
    tasks = tasks[tasks["series"].isin(styles)].dropna(subset=["before", "after"])
    if tasks.empty:
        return frame.empty("no task has a score both before and after adaptation")
    gain = (tasks["before"] - tasks["after"]).groupby(tasks["task"]).mean().sort_values()
    order = list(gain.index[-MAX_TASKS:])
    figure = go.Figure()
    for style, own, y in _rows(tasks, styles, order):
        _add_dumbbells(figure, own, y, style)
    return _dressed(figure, tasks, order, "bits per byte (○ before, ● after adaptation)")


def task_dots(tasks: pd.DataFrame, styles: Mapping[str, RunStyle]) -> go.Figure:
    """Each task's one score of the online track, which has no before and after: a dot a series.

    The hardest task comes first.
    Columns: series, task (name), near (True, False or None: no mark), value (bits per byte).
    """
    tasks = tasks[tasks["series"].isin(styles)].dropna(subset="value")
    if tasks.empty:
        return frame.empty("no task has a score")
    order = list(tasks.groupby("task")["value"].mean().sort_values().index[-MAX_TASKS:])
    figure = go.Figure()
    for style, own, y in _rows(tasks, styles, order):
        figure.add_trace(
            go.Scatter(
                x=own["value"].to_numpy(float),
                y=y,
                customdata=own["task"].map(frame.safe).to_numpy(),
                mode="markers",
                name=frame.safe(style.name),
                marker={"symbol": style.symbol, "size": 10, "color": style.colour},
                hovertemplate="<b>%{customdata}</b><br>%{x:.3f} bits per byte<extra>%{fullData.name}</extra>",
                showlegend=True,
            )
        )
    return _dressed(figure, tasks, order, "bits per byte, learning while coding")


def _rows(
    tasks: pd.DataFrame, styles: Mapping[str, RunStyle], order: list[str]
) -> Iterator[tuple[RunStyle, pd.DataFrame, list[float]]]:
    """Of each series its style, its tasks, and their places on the y axis."""
    series = [name for name in styles if (tasks["series"] == name).any()]
    for i, name in enumerate(series):
        own = tasks[(tasks["series"] == name) & tasks["task"].isin(order)]
        # Several series share a task's row, one below the other.
        shift = 0.0 if len(series) == 1 else 0.7 * (0.5 - (i + 0.5) / len(series))
        yield styles[name], own, [order.index(task) + shift for task in own["task"]]


def _dressed(figure: go.Figure, tasks: pd.DataFrame, order: list[str], title: str) -> go.Figure:
    """A row a task, named at its left and marked near or far."""
    frame.dress(figure, height=110 + max(_ROW, 18 * tasks["series"].nunique()) * len(order))
    figure.update_xaxes(title_text=title, side="bottom")
    marks = tasks.drop_duplicates("task").set_index("task")["near"]
    return figure.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=[frame.shorten(task) + _distance(marks[task]) for task in order],
        range=[-0.6, len(order) - 0.4],
        ticks="",
        showline=False,
    )


def _distance(near: bool | None) -> str:
    if pd.isna(near):
        return ""
    return " · near" if near else " · <b>far</b>"


def _add_dumbbells(figure: go.Figure, own: pd.DataFrame, y: list[float], style: RunStyle) -> None:
    x, rows = [], []
    for before, after, row in zip(own["before"], own["after"], y, strict=True):
        x += [before, after, None]
        rows += [row, row, None]
    bar = {"color": style.colour, "width": 2.5}
    figure.add_trace(
        go.Scatter(
            x=x,
            y=rows,
            mode="lines",
            line=bar,
            opacity=0.45,
            hoverinfo="skip",
            showlegend=False,
            legendgroup=style.name,
        )
    )
    for column, hollow in (("before", True), ("after", False)):
        told = own[["task", "before", "after"]].assign(saved=own["before"] - own["after"])
        told["task"] = told["task"].map(frame.safe)
        figure.add_trace(
            go.Scatter(
                x=own[column].to_numpy(float),
                y=y,
                customdata=told.to_numpy(),
                mode="markers",
                name=frame.safe(style.name),
                legendgroup=style.name,
                showlegend=not hollow,
                marker={
                    "symbol": style.symbol + ("-open" if hollow else ""),
                    "size": 10,
                    "color": style.colour,
                    "line": {"width": 1.6, "color": style.colour},
                },
                hovertemplate="<b>%{customdata[0]}</b><br>before %{customdata[1]:.3f}, after "
                "%{customdata[2]:.3f} bits per byte<br>saved %{customdata[3]:+.3f}"
                "<extra>%{fullData.name}</extra>",
            )
        )
