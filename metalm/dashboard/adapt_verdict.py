"""What a demo comes to, in one line of plain words, and how sure that is. No streamlit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from metalm.dashboard import wording
from metalm.dashboard.adapt_shown import Adapted
from metalm.evaluate.stretches import interval_per_byte

ABOUT = (
    "Bits per byte of the query set, which no run has adapted to. The 95 % intervals come from a circular "
    "block bootstrap (Politis and Romano 1992): stretches of the text, each as long as the square root of "
    "its characters, are drawn again and again, because neighbouring characters cost alike. Differences "
    "between two are drawn on the same stretches. They say how sure it is for text like this one, and "
    "nothing about other texts: Compare tells of those."
)


def verdict(runs: Sequence[Adapted], baselines: Sequence[Adapted], query: str) -> str:
    """One line of markdown. runs: at least one; the best after adaptation is spoken of."""
    widths = np.array([len(character.encode()) for character in query])
    ranked = sorted(runs, key=lambda one: one.bits_per_byte[-1])
    best = ranked[0]
    parts = [_gain(best, widths)]
    if len(ranked) > 1:
        parts.append(_beside(best, ranked[1], widths))
    if baselines:
        parts.append(_beside(best, min(baselines, key=lambda one: one.bits_per_byte[0]), widths))
    return f"{'; '.join(parts)}."


def stopped(ends: Sequence[tuple[str, tuple[int, int] | None]]) -> str:
    """That adaptation was stopped on its way, and where, in plain words; "" where it came to its end.

    ends: of each run its name, and the steps made and asked for where it was stopped.
    """
    cut = [(name, f"after {end[0]} of {wording.things(end[1], 'step')}") for name, end in ends if end]
    if not cut:
        return ""
    if len(cut) == len(ends) and len({after for _, after in cut}) == 1:
        return f"Stopped {cut[0][1]}"
    return f"Stopped: {', '.join(f'{name} {after}' for name, after in cut)}"


def _gain(one: Adapted, widths: np.ndarray) -> str:
    """What adaptation brought to one run."""
    name, (before, after) = _name(one), (one.bits_per_byte[0], one.bits_per_byte[-1])
    if one.last_step == 0:
        return f"{name} reads this text at **{after:.2f} bits per byte** without adapting to it"
    low, high = interval_per_byte(one.bits[0] - one.bits[-1], widths)
    steps = wording.things(one.last_step, "step")
    change = f"{after:.2f} instead of {before:.2f} bits per byte"
    share = f"{100 * abs(before - after) / before:.0f} %" if before else "0 %"
    if math.isnan(low):
        way = "fewer" if after <= before else "more"
        doubt = "the text is too short to say how sure that is"
        return f"After {steps} {name} needs {share} {way} bits, {change}: {doubt}"
    sure = f"{change}, {_interval(before - after, low, high, 'saves')}"
    if low > 0:
        return f"After {steps} {name} needs **{share} fewer bits**: {sure}"
    if high < 0:
        lost = f"{change}, {_interval(after - before, -high, -low, 'loses')}"
        return f"Adaptation hurts: after {steps} {name} needs **{share} more bits**, {lost}"
    return f"After {steps} {name} reads this text **no better that one could be sure of**: {sure}"


def _beside(best: Adapted, other: Adapted, widths: np.ndarray) -> str:
    """How far ahead of another it ends, on the very same characters."""
    low, high = interval_per_byte(other.bits[-1] - best.bits[-1], widths)
    ahead, name = other.bits_per_byte[-1] - best.bits_per_byte[-1], _name(other)
    if math.isnan(low):
        return f"{name} ends at {other.bits_per_byte[-1]:.2f}"
    if low > 0:
        return f"it ends ahead of {name} by {_interval(ahead, low, high)}"
    if high < 0:
        return f"{name} is better by {_interval(-ahead, -high, -low)}"
    return f"between it and {name} there is no sure difference ({_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _interval(value: float, low: float, high: float, verb: str = "") -> str:
    return f"{verb} {value:.2f} (95 % interval {low:.2f} to {high:.2f})".strip()


def _name(one: Adapted) -> str:
    name = wording.plain(one.style.name)
    return f"**{name}**" if one.run else f"the {name} baseline"
