"""Heat maps: results of runs on tasks, what roles of a split share, and the rates that a run learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame

_LEAST_SPAN = 0.1  # of colours of rates, as a share of the largest
_LABELLED_CELLS = 400  # above this, figures in the cells are too small to read
_TASKS_DOWN = 60  # more tasks than these stand side by side, a run a row, and are named on hover alone
_NAMED_PARTS = 16  # groups side by side that have room for a name each
_USUAL = 0.98  # of many differences: those beyond share the strongest colour


def task_heatmap(
    values: pd.DataFrame,
    *,
    unit: str = "bits per byte",
    difference: bool = False,
    groups: Sequence[str] = (),
) -> go.Figure:
    """Tasks x series, the value in each cell; grey where there is none. Many tasks stand side by side.

    values: index = task names, columns = names of the series, cells in `unit`. With `difference`, cells are
    differences to a control and colours part at zero: teal saves bits, red costs bits. groups: of each task,
    in runs of equal ones: where one ends there is a line, and each is named.
    """
    if values.empty:
        return frame.empty("no evaluation yet")
    scale = {"colorscale": palette.colour_scale(palette.DIVERGING if difference else palette.SEQUENTIAL)}
    if difference:
        sizes = values.abs().to_numpy(float)
        bound = float(np.nanmax(sizes) if sizes.size <= _LABELLED_CELLS else np.nanquantile(sizes, _USUAL))
        scale |= {"zmin": -bound, "zmax": bound}
    if len(values) > _TASKS_DOWN:
        figure = _wide_heatmap(values, unit=unit, **scale)
    else:
        style = "{:+.2f}" if difference else "{:.2f}"
        values = values.iloc[::-1]  # plotly draws upwards
        figure = _heatmap(
            values,
            labels=values.map(lambda value: "" if value != value else style.format(value)),
            unit=unit,
            hover="<b>%{y}</b><br>%{x}: %{z:.3f} " + unit + "<extra></extra>",
            **scale,
        )
    if values.isna().any(axis=None):
        figure.update_layout(plot_bgcolor=frame.BORDER)
    return _parted(figure, groups, side_by_side=len(values) > _TASKS_DOWN)


def _wide_heatmap(values: pd.DataFrame, *, unit: str, **options) -> go.Figure:
    """A series a row, a task a column, as small as many tasks make them."""
    figure = go.Figure(
        go.Heatmap(
            z=values.to_numpy(np.float32).T[::-1],
            x=frame.labels([str(name) for name in values.index], 80),
            y=frame.labels([str(name) for name in values.columns[::-1]]),
            ygap=1 if values.shape[1] <= _TASKS_DOWN else 0,
            hovertemplate="<b>%{x}</b><br>%{y}: %{z:.3f} " + unit + "<extra></extra>",
            hoverongaps=False,
            colorbar=frame.colour_bar(unit),
            **options,
        )
    )
    rows = values.shape[1]
    frame.dress(figure, height=120 + (26 if rows <= 30 else 6) * max(6, rows), legend=False)
    figure.update_xaxes(
        title_text=f"{len(values):,} tasks", showticklabels=False, showgrid=False, ticks="", type="category"
    )
    return figure.update_yaxes(
        showgrid=False, showline=False, ticks="", type="category", showticklabels=rows <= _TASKS_DOWN
    )


def _parted(figure: go.Figure, groups: Sequence[str], *, side_by_side: bool) -> go.Figure:
    """Lines where one group of tasks ends, and each group's name at its beginning."""
    if not any(groups):
        return figure
    begins = [i for i, group in enumerate(groups) if i == 0 or group != groups[i - 1]]
    line = {"color": frame.TEXT, "width": 1.5}
    for begin in begins[1:]:
        if side_by_side:
            figure.add_vline(begin - 0.5, line=line)
        else:
            figure.add_hline(len(groups) - begin - 0.5, line=line)
    if side_by_side:
        least = len(groups) / _NAMED_PARTS  # narrower ones have no room for a name
        ends = [*begins[1:], len(groups)]
        wide = [begin for begin, end in zip(begins, ends, strict=True) if end - begin >= least]
        names = [f"<b>{frame.shorten(groups[begin], 18)}</b>" for begin in wide]
        return figure.update_xaxes(tickvals=wide, ticktext=names, showticklabels=True, ticks="outside")
    tasks = list(figure.data[0].y)
    heads = {len(groups) - 1 - begin: f"<b>{frame.shorten(groups[begin], 22)}</b> · " for begin in begins}
    return figure.update_yaxes(
        tickvals=list(range(len(tasks))), ticktext=[heads.get(i, "") + task for i, task in enumerate(tasks)]
    )


def leakage_heatmap(shares: pd.DataFrame) -> go.Figure:
    """How much of one part stands in another. Columns: left, right (names), share (0..1), shared (a count).

    share: the part of `left` that is found in `right` too.
    """
    if shares.empty:
        return frame.empty("nothing to compare")
    names = list(dict.fromkeys([*shares["left"], *shares["right"]]))
    cells = shares.pivot_table(index="left", columns="right", values=["share", "shared"], aggfunc="max")
    percent = 100 * cells["share"].reindex(index=names[::-1], columns=names).dropna(how="all")
    percent = percent.dropna(how="all", axis=1)
    counts = cells["shared"].reindex_like(percent)
    return _heatmap(
        percent,
        labels=percent.map(lambda value: "" if value != value else f"{value:.2g} %"),
        unit="% shared",
        hover="%{z:.3g} % of <b>%{y}</b> also in <b>%{x}</b><br>%{customdata:,} shared<extra></extra>",
        customdata=counts.to_numpy(),
        colorscale=palette.colour_scale(palette.SEQUENTIAL),
        zmin=0,
        # A split without leaks stays pale: the scale never spans less than one per cent.
        zmax=max(1.0, float(percent.max(axis=None))),
    )


def rate_heatmap(values: pd.DataFrame, *, low: float, high: float) -> go.Figure:
    """Weights x adaptation steps, the learned rate in each cell.

    values: index = names of weights, columns = adaptation steps, in words. low, high: ends of the colours, so
    that the maps of several runs can share them.
    """
    if values.empty:
        return frame.empty("no learned rate yet")
    values = values.iloc[::-1]
    # Rates that hardly differ have colours that hardly differ, and digits that tell them apart.
    least = _LEAST_SPAN * max(abs(low), abs(high))
    digits = 3 if high - low >= least else 4
    widened = max(0.0, least - (high - low)) / 2
    return _heatmap(
        values,
        labels=values.map(lambda value: "" if value != value else f"{value:.{digits}g}"),
        unit="rate",
        hover="<b>%{y}</b><br>%{x}: %{z:.4g}<extra></extra>",
        colorscale=palette.colour_scale(palette.SEQUENTIAL),
        zmin=low - widened,
        zmax=max(high + widened, low + 1e-12),
    )


def _heatmap(values: pd.DataFrame, *, labels: pd.DataFrame, unit: str, hover: str, **options) -> go.Figure:
    if values.size <= _LABELLED_CELLS:
        options |= {"text": labels.to_numpy(), "texttemplate": "%{text}", "textfont": {"size": 12}}
    figure = go.Figure(
        go.Heatmap(
            z=values.to_numpy(float),
            x=frame.labels([str(name) for name in values.columns]),
            y=frame.labels([str(name) for name in values.index]),
            xgap=2,
            ygap=2,
            hovertemplate=hover,
            colorbar=frame.colour_bar(unit),
            **options,
        )
    )
    frame.dress(figure, height=100 + 30 * max(3, len(values)), legend=False)
    figure.update_xaxes(side="top", showgrid=False, showline=False, ticks="", type="category")
    return figure.update_yaxes(showgrid=False, showline=False, ticks="", type="category")
