"""A line chart as SVG text, for a page without plotly: few lines, level references, told ends."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

from metalm.dashboard import palette
from metalm.dashboard.palette import RunStyle

_WIDTH, _HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 150, 14, 44
_DASHES = {"solid": "", "dash": "8 5", "dot": "2 4", "dashdot": "8 4 2 4"}
_TICKS = 5
_LABEL = 15  # pixels from one name to the next at least


def still_curves(points: pd.DataFrame, styles: Mapping[str, RunStyle], *, alt: str) -> str:
    """Bits per byte over adaptation steps, as one `<svg>`; a series of one point is a level line.

    Columns: series, adaptation_step, mean. Colours are CSS variables `--c<n>`, in the order of `styles`: see
    `colours`.
    """
    drawn = {key: points[points["series"] == key] for key in styles}
    drawn = {key: line for key, line in drawn.items() if len(line)}
    last = max(1, int(points["adaptation_step"].max()))
    low, high = float(points["mean"].min()), float(points["mean"].max())
    pad = 0.05 * (high - low) or 0.5
    low, high = low - pad, high + pad

    def x(step: float) -> float:
        return _LEFT + step / last * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_grid(low, high, last, x, y)]
    numbers = {key: number for number, key in enumerate(styles)}
    for key, line in drawn.items():
        steps, values = line["adaptation_step"].tolist(), line["mean"].tolist()
        if len(steps) == 1:
            steps, values = [0, last], values * 2
        path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in zip(steps, values, strict=True))
        dash = _DASHES[styles[key].dash]
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="var(--c{numbers[key]})" stroke-width="2.2"'
            f' stroke-dasharray="{dash}"/>'
        )
    parts += _names(drawn, styles, numbers, y)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(alt)}" class="still">'
        f"{''.join(parts)}</svg>"
    )


def colours(styles: Mapping[str, RunStyle], *, dark: bool) -> str:
    """The CSS variables of the lines, for the light page or the dark one."""
    used = [style.colour for style in styles.values()]
    return " ".join(
        f"--c{number}: {palette.DARK_TWIN[colour] if dark else colour};" for number, colour in enumerate(used)
    )


def _grid(low: float, high: float, last: int, x, y) -> str:
    parts = []
    for i in range(_TICKS):
        value = low + (high - low) * i / (_TICKS - 1)
        at = f"{y(value):.1f}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at}" y2="{at}" class="grid"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    for step in sorted({round(last * i / (_TICKS - 1)) for i in range(_TICKS)}):
        parts.append(f'<text x="{x(step):.1f}" y="{_HEIGHT - 24}" text-anchor="middle">{step}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 5}" text-anchor="middle">adaptation steps</text>')
    return "".join(parts)


def _names(drawn, styles: Mapping[str, RunStyle], numbers: Mapping[str, int], y) -> list[str]:
    """Each line's name at its end, moved down where it would stand on another's."""
    ends = sorted((y(line["mean"].iloc[-1]), key) for key, line in drawn.items())
    placed, names = float("-inf"), []
    for at, key in ends:
        placed = max(at, placed + _LABEL)
        shown = styles[key].name if len(styles[key].name) <= 22 else styles[key].name[:21] + "…"
        names.append(
            f'<text x="{_WIDTH - _RIGHT + 8}" y="{placed + 4:.1f}" style="fill: var(--c{numbers[key]})">'
            f"{escape(shown)}</text>"
        )
    return names
