"""How sizes, times, shares and statuses are worded, the same on every page. Plain text, no streamlit."""

from __future__ import annotations

import math
from datetime import UTC, datetime

STATUS_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "finished": "green",
    "stopped": "orange",
    "failed": "red",
    "interrupted": "violet",
    "imported": "yellow",
}
NOTHING = "–"


def size(num_bytes: float | None) -> str:
    """Bytes with a decimal unit: `812 B`, `1.2 MB`."""
    if num_bytes is None or not math.isfinite(num_bytes):
        return NOTHING
    value = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def count(number: float | None) -> str:
    """A count that is easy to read: `950`, `12,400`, `3.1 M`, `2.0 T`."""
    if number is None or not math.isfinite(number):
        return NOTHING
    if abs(number) < 1e6:
        return f"{number:,.0f}"
    value = number / 1e6
    for unit in ("M", "G", "T"):
        if abs(value) < 1000:
            return f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} P"


def number(value: float | None, digits: int = 3) -> str:
    """A measurement with `digits` decimals; a dash when there is none yet."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def things(num: int, noun: str) -> str:
    """`1 run`, `4 runs`, `2 corpora`."""
    plural = {"corpus": "corpora"}.get(noun, f"{noun}s")
    return f"{count(num)} {noun if num == 1 else plural}"


def duration(seconds: float | None) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`; past a year, nobody needs the minutes."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    total = max(0, round(seconds))
    if total > 365 * 24 * 3600:
        return "more than a year"
    hours, minutes, rest = total // 3600, total % 3600 // 60, total % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def seconds(value: float | None) -> str:
    """A short time with its parts: `12 ms`, `0.34 s`, `8.1 s`, and from a minute on as `duration`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value < 0.1:
        return f"{1000 * value:.2g} ms"
    return f"{value:.2g} s" if value < 60 else duration(value)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago an aware `moment` was: `just now`, `5 min ago`, `2025-11-23` after a week."""
    if moment is None:
        return NOTHING
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h ago"
    if seconds < 7 * 86400:
        return f"{seconds // 86400:.0f} d ago"
    return moment.strftime("%Y-%m-%d")


def eta(seconds: float, progress: float) -> str:
    """Time left, when `seconds` of training brought `progress` (0..1)."""
    if progress <= 0 or seconds <= 0:
        return NOTHING
    return duration(seconds * (1 - progress) / progress)


def status_badge(status: str) -> str:
    """A run's status as a coloured markdown badge."""
    return f":{STATUS_COLOURS.get(status, 'gray')}-badge[{status}]"


def isolated(text: str) -> str:
    """Text of any script within a line of the page: neither tells the other which way to run."""
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def plain(text: str) -> str:
    """Text that markdown leaves as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+-.!|~$:<>" else char for char in text)
