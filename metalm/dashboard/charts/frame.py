"""What every chart shares: the empty frame with its axes, fonts and hover, and text that is safe to show."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from metalm.dashboard import palette

MAX_POINTS = 500  # a line; more are slow to send and no sharper on a screen
BACKGROUND, SURFACE, TEXT, MUTED, GRID, BORDER = (
    pair[0]
    for pair in (
        palette.BACKGROUND,
        palette.SURFACE,
        palette.TEXT,
        palette.MUTED,
        palette.GRID,
        palette.BORDER,
    )
)


def safe(name: str) -> str:
    """A name as text for plotly, which reads a few HTML tags in every label."""
    return html.escape(name, quote=False)


def shorten(name: str, length: int = 28) -> str:
    """A name for an axis: the middle goes when it is long."""
    if len(name) <= length:
        return safe(name)
    head = (length - 1) // 2
    return safe(f"{name[:head]}…{name[-(length - 1 - head) :]}")


def labels(names: Sequence[str], length: int = 28) -> list[str]:
    """Names for an axis whose places are told by their labels: short, and no two alike, or they would share
    a place. Names that are alike but for their middle stay whole.
    """
    short = [shorten(name, length) for name in names]
    alike, told = Counter(short), dict[str, None]()
    for name, label in zip(names, short, strict=True):
        whole = safe(name) if alike[label] > 1 else label
        number, label = 1, whole
        while label in told:
            number += 1
            label = f"{whole} ({number})"
        told[label] = None
    return list(told)


def dress(figure: go.Figure, *, height: int = 380, legend: bool = True) -> go.Figure:
    """The common look: quiet grid, legend above the plot, hover that reads as a small card.

    The font is the page's; the chart component sets it.
    """
    look: dict[str, Any] = {
        "template": "none",
        "height": height,
        "paper_bgcolor": BACKGROUND,
        "plot_bgcolor": BACKGROUND,
        "font": {"size": 13, "color": TEXT},
        "margin": {"l": 8, "r": 12, "t": 36 if legend else 12, "b": 8},
        "showlegend": legend,
        "legend": _LEGEND,
        "hoverlabel": {"bgcolor": SURFACE, "bordercolor": BORDER, "font": {"color": TEXT, "size": 12.5}},
        "hoverdistance": 30,
        "dragmode": "zoom",
    }
    layout = figure.layout.to_plotly_json()
    axes = {"xaxis", "yaxis", *(name for name in layout if name.startswith(("xaxis", "yaxis")))}
    looks = {name: _AXIS if name.startswith("x") else _Y_AXIS for name in axes}
    # One assignment: plotly's own updates, property by property, take ten times as long.
    figure.layout = _merged(layout, look | looks)
    return figure


def _merged(settings: dict[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with `others` in their place, group by group."""
    merged = dict(settings)
    for name, other in others.items():
        known = settings.get(name)
        merged[name] = _merged(known, other) if isinstance(known, dict) and isinstance(other, dict) else other
    return merged


_LEGEND: dict[str, Any] = {
    "orientation": "h",
    "x": 0,
    "xanchor": "left",
    "y": 1.0,
    "yanchor": "bottom",
    "font": {"size": 12.5},
    "itemwidth": 30,
}
_AXIS: dict[str, Any] = {
    "automargin": True,
    "gridcolor": GRID,
    "linecolor": BORDER,
    "tickcolor": BORDER,
    "tickfont": {"size": 12, "color": MUTED},
    "title": {"font": {"size": 12.5, "color": MUTED}, "standoff": 8},
    "zeroline": False,
    "showline": True,
    "ticks": "outside",
    "ticklen": 4,
}
# Plotly hides labels that leave the figure, and measures all of them anew for each that it draws: 0.4 s of a
# forest of 168 rows. Those of y never leave it.
_Y_AXIS = _AXIS | {"ticklabeloverflow": "allow"}


def log_or_linear(log: bool, values: Iterable[float] = ()) -> dict[str, Any]:
    """Axis settings; a log axis has plain numbers at 1, 2, 5, or at every digit when `values` span little."""
    if not log:
        return {"type": "linear"}
    shown = [value for value in values if value > 0]
    dense = bool(shown) and max(shown) < 4 * min(shown)  # labels of more digits would run into each other
    return {
        "type": "log",
        "dtick": "D1" if dense else "D2",
        "minorloglabels": "complete",
        "exponentformat": "SI",
    }


def placed(values: np.ndarray, *, log: bool) -> np.ndarray:
    """Values as a line can have them: what has no place on a log axis is a gap, not a point far outside."""
    return np.where(values > 0, values, np.nan) if log else values


def translucent(colour: str, share: float) -> str:
    """`#rrggbb` with an alpha of `share` (0..1), in the form that the chart component can swap."""
    return f"{colour}{round(255 * share):02x}"


def bytes_label(num_bytes: float) -> str:
    """A support size as a tick: `0`, `512 B`, `2 kB`, `10 kB`; 1 kB is 1024 bytes where that is rounder."""
    if num_bytes < 1000:
        return f"{num_bytes:.0f} B" if num_bytes else "0"
    kilo = 1024 if num_bytes % 1024 == 0 else 1000
    return f"{num_bytes / kilo:.3g} kB"


def colour_bar(unit: str) -> dict[str, Any]:
    """The scale beside a heat map, with its unit."""
    return {
        "title": {"text": unit, "side": "right", "font": {"size": 12, "color": MUTED}},
        "thickness": 12,
        "outlinewidth": 0,
        "tickfont": {"size": 11, "color": MUTED},
    }


def empty(message: str, *, height: int = 220) -> go.Figure:
    """A frame that says in words why nothing is drawn."""
    figure = dress(go.Figure(), height=height, legend=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.add_annotation(
        text=safe(message), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"color": MUTED}
    )
