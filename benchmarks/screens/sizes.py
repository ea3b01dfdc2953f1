"""How much is done: as much as the targets ask for, or so little that every part is over in seconds."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """runs, keys: on the Runs page, each with so many settings. curves: runs in one chart, each of so many
    `points`, or of `many_points`. tasks, evaluations: of a split. refreshes: of each tab with a live chart.

    tries: of which the median is taken. reruns: the same, of all pages together.
    """

    runs: int = 5_000
    keys: int = 60
    curves: int = 50
    points: int = 20_000
    many_points: int = 1_000_000
    tasks: int = 2_000
    evaluations: int = 200
    refreshes: int = 5_000
    tries: int = 3
    reruns: int = 42
    peers_python: str = sys.executable


QUICK = Size(
    runs=600,
    curves=4,
    points=3_000,
    many_points=6_000,
    tasks=40,
    evaluations=4,
    refreshes=6,
    tries=1,
    reruns=1,
)
