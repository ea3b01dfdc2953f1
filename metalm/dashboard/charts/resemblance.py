"""What a text looks like from place to place: how much each task is believed, one stacked on another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame

OTHERS = "others"
_LEAST = 0.01  # of the belief over the whole text: an area that can be seen
_HEIGHT = 320


def resemblance_along_text(weights: pd.DataFrame, *, support_chars: int = 0, most: int = 5) -> go.Figure:
    """Areas that add up to 1 at each character: the `most` tasks believed most on the whole, and others.

    Tasks that are hardly believed anywhere are others too.
    weights: a row a character, a column a task; rows add up to 1. support_chars: a line stands behind the
    support set. A long text is drawn by means over equal pieces of it.
    """
    if weights.empty:
        return frame.empty("no text to compare yet")
    places, drawn = _pieces(weights)
    ranked = drawn.mean().sort_values(ascending=False, kind="stable")
    top = list(ranked.index[:1]) + [name for name in ranked.index[1:most] if ranked[name] >= _LEAST]
    rest = list(ranked.index[len(top) :])
    figure = go.Figure()
    for name, style in palette.run_styles({name: name for name in top}).items():
        figure.add_trace(_area(places, drawn[name], name, style.colour))
    if rest:
        figure.add_trace(_area(places, drawn[rest].sum(axis=1), OTHERS, palette.NEUTRAL[0]))
    frame.dress(figure, height=_HEIGHT)
    if 0 < support_chars < len(weights):
        _mark_cut(figure, support_chars)
    figure.update_xaxes(title_text="position in the text (characters)", range=[1, len(weights)])
    figure.update_yaxes(title_text="how much it looks like a task", range=[0, 1], tickformat=".0%")
    figure.update_layout(hovermode="x unified", legend={"traceorder": "normal"})
    # There the legend has a line for every name.
    narrow = {**figure.layout.to_plotly_json(), "height": _HEIGHT + 20 * len(figure.data)}
    return figure.update_layout(meta={"narrow": narrow})


def _pieces(weights: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """(places, means of the weights there); places are counted from 1."""
    num = min(len(weights), frame.MAX_POINTS)
    begins = np.unique(np.linspace(0, len(weights), num, endpoint=False).astype(int))
    ends = np.append(begins[1:], len(weights))
    sums = np.add.reduceat(weights.to_numpy(float), begins, axis=0)
    means = pd.DataFrame(sums / (ends - begins)[:, None], columns=weights.columns)
    return (begins + ends + 1) // 2, means


def _area(places: np.ndarray, share: pd.Series, name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=places,
        y=share.to_numpy(float),
        name=frame.safe(name),
        mode="lines",
        stackgroup="text",
        line={"width": 0, "color": colour},
        fillcolor=frame.translucent(colour, 0.75),
        hovertemplate="%{y:.0%}<extra>%{fullData.name}</extra>",
    )


def _mark_cut(figure: go.Figure, support_chars: int) -> None:
    figure.add_vline(x=support_chars + 0.5, line={"color": frame.TEXT, "width": 1.5, "dash": "dash"})
