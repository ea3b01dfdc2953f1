"""Lineage: runs as points, generations from left to right, lines for what ties them."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import plotly.graph_objects as go

from metalm.dashboard import palette
from metalm.dashboard.charts import frame

# Tie -> line colour, dash; kind -> marker, colour. None is told by colour alone.
_TIES = {
    "warm start": (palette.TEXT[0], "solid"),
    "twin": (palette.ACCENT[0], "dash"),
    "study": (palette.NEUTRAL[0], "dot"),
}
_KINDS = {
    "run": ("circle", palette.NEUTRAL[0]),
    "study": ("square", palette.NEUTRAL[0]),
    "gone": ("circle-open", palette.NEUTRAL[0]),
}
_CHOSEN = "chosen"
_ROW = 46  # pixels


def lineage_graph(members: pd.DataFrame, ties: pd.DataFrame, chosen: Collection[str]) -> go.Figure:
    """members: columns id, name, kind, told, depth; ties: source, target, tie: see `metalm.home.family`.

    A generation is a column. Children stand beside their parents where there is room.
    """
    if members.empty:
        return frame.empty("no relatives")
    places = layout(members, ties)
    figure = go.Figure()
    for tie, (colour, dash) in _TIES.items():
        pairs = ties[ties["tie"] == tie]
        if len(pairs):
            figure.add_trace(_edges(pairs, places, tie, colour, dash))
    for kind, (symbol, colour) in {_CHOSEN: ("circle", palette.ACCENT[0]), **_KINDS}.items():
        is_chosen = members["id"].isin(list(chosen))
        part = members[is_chosen if kind == _CHOSEN else (members["kind"] == kind) & ~is_chosen]
        if len(part):
            figure.add_trace(_nodes(part, places, kind, symbol, colour))
    rows = max(y for _, y in places.values()) + 1
    frame.dress(figure, height=int(96 + _ROW * max(2, rows)))
    figure.update_layout(hovermode="closest")
    deepest = max(x for x, _ in places.values())
    figure.update_xaxes(visible=False, range=[-0.12, deepest + 0.75], fixedrange=True)
    return figure.update_yaxes(visible=False, range=[rows - 0.4, -0.6], fixedrange=True)


def layout(members: pd.DataFrame, ties: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Id -> (column, row), no two alike: each column keeps the order of the parents in the one before."""
    above = dict(zip(ties["target"], ties["source"], strict=True))
    places: dict[str, tuple[int, int]] = {}
    for depth, part in members.sort_values("depth", kind="stable").groupby("depth"):
        ids = list(part["id"])
        ids.sort(key=lambda member: places.get(above.get(member, ""), (0, 0))[1])
        free = 0
        for member in ids:
            row = max(free, places.get(above.get(member, ""), (0, 0))[1])
            places[member] = (int(depth), row)
            free = row + 1
    return places


def _edges(
    pairs: pd.DataFrame, places: dict[str, tuple[int, int]], tie: str, colour: str, dash: str
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    for source, target in zip(pairs["source"], pairs["target"], strict=True):
        (x0, y0), (x1, y1) = places[source], places[target]
        # Within a column a line bends to the left, or it would run through the names between.
        bend = [x0 - 0.08, x1 - 0.08] if x0 == x1 else [x0 + 0.55 * (x1 - x0), x1 - 0.1]
        x += [x0, *bend, x1, None]
        y += [y0, y0, y1, y1, None]
    line = {"color": colour, "dash": dash, "width": 1.5}
    return go.Scatter(x=x, y=y, mode="lines", line=line, name=tie, hoverinfo="skip")


def _nodes(
    part: pd.DataFrame, places: dict[str, tuple[int, int]], kind: str, symbol: str, colour: str
) -> go.Scatter:
    return go.Scatter(
        x=[places[member][0] for member in part["id"]],
        y=[places[member][1] for member in part["id"]],
        mode="markers+text",
        marker={"symbol": symbol, "size": 15 if kind == _CHOSEN else 12, "color": colour},
        text=[
            f"<b>{frame.shorten(name)}</b>" if kind == _CHOSEN else frame.shorten(name)
            for name in part["name"]
        ],
        textposition="top right",
        textfont={"size": 12.5, "color": frame.TEXT},
        customdata=[
            [frame.safe(name), frame.safe(told)]
            for name, told in zip(part["name"], part["told"], strict=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        name={"gone": "not in this home"}.get(kind, kind),
    )
