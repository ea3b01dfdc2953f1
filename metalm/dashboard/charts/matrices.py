"""Heat maps: results of runs on tasks, what roles of a split share, and the rates that a run learned."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame

_LEAST_SPAN = 0.1  # of colours of rates, as a share of the largest
_LABELLED_CELLS = 400  # above this, figures in the cells are too small to read


def task_heatmap(values: pd.DataFrame, *, unit: str = "bits per byte", difference: bool = False) -> go.Figure:
    """Tasks x series, the value in each cell; a gap where there is none.

    values: index = task names, columns = names of the series, cells in `unit`. With `difference`, cells are
    differences to a control and colours part at zero: teal saves bits, red costs bits.
    """
    if values.empty:
        return frame.empty("no evaluation yet")
    values = values.iloc[::-1]  # plotly draws upwards
    bound = float(values.abs().max(axis=None)) if difference else 0.0
    scale = {"colorscale": palette.colour_scale(palette.DIVERGING if difference else palette.SEQUENTIAL)}
    if difference:
        scale |= {"zmin": -bound, "zmax": bound}
    style = "{:+.2f}" if difference else "{:.2f}"
    return _heatmap(
        values,
        labels=values.map(lambda value: "" if value != value else style.format(value)),
        unit=unit,
        hover="<b>%{y}</b><br>%{x}: %{z:.3f} " + unit + "<extra></extra>",
        **scale,
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
            x=[frame.shorten(str(name)) for name in values.columns],
            y=[frame.shorten(str(name)) for name in values.index],
            xgap=2,
            ygap=2,
            hovertemplate=hover,
            colorbar={
                "title": {"text": unit, "side": "right", "font": {"size": 12, "color": frame.MUTED}},
                "thickness": 12,
                "outlinewidth": 0,
                "tickfont": {"size": 11, "color": frame.MUTED},
            },
            **options,
        )
    )
    frame.dress(figure, height=100 + 30 * max(3, len(values)), legend=False)
    figure.update_xaxes(side="top", showgrid=False, showline=False, ticks="", type="category")
    return figure.update_yaxes(showgrid=False, showline=False, ticks="", type="category")
