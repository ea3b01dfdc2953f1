"""Every colour of the dashboard, once, each as a pair: the light theme's and its twin in the dark one.

Figures are built with the light colours only. The browser alone knows for sure which theme is on, so the
chart component swaps each colour for its twin there (`DARK_TWIN`), and no figure is built twice. The colours
of runs are far enough apart for the three common kinds of colour blindness and have a contrast of 3 : 1 or
more with the page; tests measure both.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# (light, dark)
BACKGROUND = ("#ffffff", "#12151c")
SURFACE = ("#f3f5f9", "#1c212c")
TEXT = ("#1c2230", "#e4e8f0")
MUTED = ("#5c6579", "#9aa5b8")
GRID = ("#e6e9f0", "#272e3b")
BORDER = ("#c9d0dd", "#3d4658")
ACCENT = ("#2b5fc4", "#3d73d9")
LINK = ("#2455b3", "#8fb4f7")  # the accent as words
NEUTRAL = ("#737d92", "#8793a8")  # baselines and references: no run has it

RUNS = (
    ("#3742c5", "#6ea8ff"),  # blue
    ("#c5770f", "#e2ae88"),  # amber
    ("#12a195", "#48fbf6"),  # teal
    ("#7a0969", "#a95a8c"),  # plum
    ("#9d6fe3", "#7a5fe6"),  # violet
    ("#343d00", "#d1ef30"),  # olive
    ("#905943", "#e1441a"),  # brown
)
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon")

# Parts of a report and roles of tasks, when one run alone is drawn.
PARTS = {
    "support": ("#7f9fd9", "#4d6fae"),
    "query": ("#2958b8", "#7fb0ff"),
    "validation": ("#b3590a", "#f2a65a"),
}
ROLES = {
    "meta-train": ("#2a5cbd", "#7db0fe"),
    "meta-validation": ("#b15809", "#f0a559"),
    "meta-test": ("#7b0a6a", "#d27fc0"),
}

# Text on a ramp is black or white: one of the two has 4.5 : 1 on any colour there is.
ON_RAMP = ("#000000", "#ffffff")

# Few bits -> many bits. The light ramp darkens, the dark one lightens: "much" stands out from either page.
SEQUENTIAL = (
    ("#fbf7ee", "#1a1f2a"),
    ("#fbe3bf", "#3a2a3f"),
    ("#f8c48a", "#652f52"),
    ("#ef9a5f", "#95385a"),
    ("#dc6a50", "#c54d51"),
    ("#b83f56", "#e5763f"),
    ("#852a5e", "#f5a94a"),
    ("#4b1c55", "#fbe08a"),
)
# Saved bits (teal) - no change - lost bits (red).
DIVERGING = (
    ("#0a6f6b", "#5ae0d2"),
    ("#4fa8a1", "#359c94"),
    ("#b5dcd8", "#1f5552"),
    ("#f7f8fa", "#181c25"),
    ("#f3c9c2", "#5d2f2c"),
    ("#dd8478", "#ab5148"),
    ("#ad352a", "#f6988b"),
)


@dataclass(frozen=True)
class RunStyle:
    """How one run is drawn everywhere: its name as readers know it, line colour, dash and marker."""

    name: str
    colour: str
    dash: str
    symbol: str


def run_styles(names: Mapping[str, str]) -> dict[str, RunStyle]:
    """A style for each run of `names` (id -> name shown), in that order.

    A run has the same colour wherever it is shown alone, and keeps it when runs are added behind it. When the
    colour is taken the next free one is used; once all are, colours come again with another dash. Equal names
    get the start of the id behind them.
    """
    used = [0] * len(RUNS)
    styles = {}
    for run_id, label in _distinct(names).items():
        # crc32, not hash(): the colour must be the same in every process.
        first = zlib.crc32(run_id.encode()) % len(RUNS)
        slot = min(range(len(RUNS)), key=lambda i: (used[i], (i - first) % len(RUNS)))
        styles[run_id] = RunStyle(label, RUNS[slot][0], DASHES[used[slot] % len(DASHES)], SYMBOLS[slot])
        used[slot] += 1
    return styles


def baseline_styles(names: Sequence[str]) -> dict[str, RunStyle]:
    """Styles of what runs are measured against: the neutral colour, and a dash and a marker each."""
    return {
        name: RunStyle(name, NEUTRAL[0], DASHES[(i + 1) % len(DASHES)], SYMBOLS[i % len(SYMBOLS)])
        for i, name in enumerate(names)
    }


def _distinct(names: Mapping[str, str]) -> dict[str, str]:
    shown = list(names.values())
    return {key: name if shown.count(name) == 1 else f"{name} ({key[:4]})" for key, name in names.items()}


def colour_scale(ramp: tuple[tuple[str, str], ...]) -> list[list]:
    """A plotly colour scale with evenly spaced stops of the light theme."""
    return [[i / (len(ramp) - 1), light] for i, (light, _) in enumerate(ramp)]


def _twins() -> dict[str, str]:
    pairs = [BACKGROUND, SURFACE, TEXT, MUTED, GRID, BORDER, ACCENT, NEUTRAL]
    pairs += [*RUNS, *PARTS.values(), *ROLES.values(), *SEQUENTIAL, *DIVERGING]
    return dict(pairs)


DARK_TWIN: dict[str, str] = _twins()
