"""Figures of one look, as SVG whose text stays text. The same data give the same bytes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure as Drawing

from metalm.studies.look import DIVERGING, GRID, INK, LINES, MARKERS, MUTED, PAGE, SEQUENTIAL
from metalm.studies.report import Figure

_LOOK = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "metalm",  # and names in the file the same from one time to the next
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib's own: text is measured alike everywhere
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "figure.facecolor": PAGE,
    "axes.facecolor": PAGE,
    "savefig.facecolor": PAGE,
}
_WIDTH, _HEIGHT = 7.2, 3.9  # inches


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart. points: columns x, y and, where there is an interval, low and high.

    is_fitted: a curve through points, drawn thin and without markers in the colour of the line before.
    """

    name: str
    points: pd.DataFrame
    is_fitted: bool = False


def lines(
    name: str,
    drawn: Sequence[Line],
    *,
    x: str,
    y: str,
    caption: str,
    log_x: bool = False,
    mark: tuple[float, str] | None = None,
) -> Figure:
    """Lines with their 95 % bands. x, y: names of the axes with units. mark: an x and what happens there."""
    with matplotlib.rc_context(_LOOK):
        drawing = Drawing(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        axes = drawing.add_subplot()
        place = -1
        for line in drawn:
            place += not line.is_fitted
            _draw(axes, line, max(place, 0) % len(LINES))
        if mark is not None:
            axes.axvline(mark[0], color=MUTED, linewidth=1, linestyle=":")
            axes.annotate(
                mark[1],
                (mark[0], 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, -11),
                textcoords="offset points",
                color=MUTED,
            )
        _scale(axes, sorted({x for line in drawn if not line.is_fitted for x in line.points["x"]}), log_x)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend()
        return _figure(drawing, name, caption, f"{y} over {x}: " + ", ".join(line.name for line in drawn))


def _scale(axes: Axes, values: Sequence[float], is_log: bool) -> None:
    """The x axis: whole numbers with their thousands apart; on a logarithmic one, those of the points."""
    if is_log:
        axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:,.0f}" for value in values])
        axes.minorticks_off()
    elif values and values[-1] >= 1000:
        axes.xaxis.set_major_formatter("{x:,.0f}")


def _draw(axes: Axes, line: Line, place: int) -> None:
    points, colour = line.points.sort_values("x"), LINES[place]
    if line.is_fitted:
        axes.plot(points["x"], points["y"], color=colour, linewidth=1, linestyle="--", label=line.name)
    else:
        axes.plot(
            points["x"],
            points["y"],
            color=colour,
            marker=MARKERS[place],
            markersize=4.5,
            linewidth=1.8,
            label=line.name,
        )
    if "low" in points:
        axes.fill_between(points["x"], points["low"], points["high"], color=colour, alpha=0.15, linewidth=0)


def matrix(name: str, table: pd.DataFrame, *, x: str, y: str, caption: str, is_difference: bool) -> Figure:
    """Numbers on colours, a row of the table a row of the figure. A difference is teal below zero, red above.

    x, y: what columns and rows are; caption: what the numbers are, with their unit.
    """
    values = table.to_numpy(dtype=float)
    colours = DIVERGING if is_difference else SEQUENTIAL
    with matplotlib.rc_context({**_LOOK, "axes.grid": False}):
        drawing = Drawing(figsize=(_WIDTH, 1.3 + 0.42 * len(table)), layout="constrained")
        axes = drawing.add_subplot()
        norm = BoundaryNorm(_bounds(values, len(colours), is_difference), len(colours))
        axes.pcolormesh(np.ma.masked_invalid(values), cmap=ListedColormap(colours), norm=norm)
        for row, column in np.argwhere(np.isfinite(values)):
            value = values[row, column]
            text = f"{value:+.3f}" if is_difference else f"{value:.2f}"
            ink = _ink(colours[int(norm(value))])
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink)
        axes.set_xticks(np.arange(values.shape[1]) + 0.5, [textwrap.fill(str(c), 12) for c in table.columns])
        axes.set_yticks(np.arange(values.shape[0]) + 0.5, list(map(str, table.index)))
        axes.invert_yaxis()
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        return _figure(drawing, name, caption, f"{caption}, {y} by {x}")


def _bounds(values: np.ndarray, count: int, is_difference: bool) -> np.ndarray:
    """The ends of `count` classes of equal width over the finite values, around zero for a difference."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    if is_difference:
        high = max(abs(low), abs(high))
        low = -high
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, np.nextafter(high, np.inf), count + 1)


def _ink(colour: str) -> str:
    """Black or white, whichever can be read on it (WCAG's relative luminance)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#fffffe"  # not the page's white, which a dark page turns


def _figure(drawing: Drawing, name: str, caption: str, alt: str) -> Figure:
    out = io.StringIO()
    drawing.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    svg = out.getvalue().replace("'DejaVu Sans'", "sans-serif")
    return Figure(name=name, caption=caption, alt=alt, svg=svg)
