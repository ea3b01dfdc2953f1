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


def verdict(
    runs: Sequence[Adapted], baselines: Sequence[Adapted], query: str, *, is_live: bool = False
) -> str:
    """One line of markdown: what adaptation brought, or first that a baseline is better all the same.

    runs: at least one; the best after adaptation is spoken of. is_live: steps still arrive, so that the best
    may change: the first run is spoken of, and nothing is said of which one will be ahead.
    """
    widths = np.array([len(character.encode()) for character in query])
    ranked = list(runs) if is_live else sorted(runs, key=lambda one: one.bits_per_byte[-1])
    one, *others = ranked
    bar = min(baselines, key=lambda each: each.bits_per_byte[0]) if baselines else None
    next_best = _beside(one, others[0], widths) if others and not is_live else ""
    if bar is not None and _is_surely_ahead(bar, one, widths):
        parts = [_behind(one, bar, widths, is_live), _change(one, widths), next_best]
    else:
        parts = [_gain(one, widths, is_live), next_best, _beside(one, bar, widths) if bar else ""]
    if others and is_live:
        parts.append("which run is best is told at the end")
    return f"{'; '.join(part for part in parts if part)}."


def of_stopped(runs: Sequence[Adapted]) -> str:
    """What a page that shows all of these says above them; "" where none was stopped."""
    told = stopped([(one.style.name, one.stopped_after) for one in runs])
    return f"{told}: what is shown here is not the whole adaptation." if told else ""


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


def _when(one: Adapted, is_live: bool) -> str:
    """How a sentence about a run begins."""
    if one.last_step == 0:
        return "Before its first step" if is_live else "Without adapting to it"
    steps = wording.things(one.last_step, "step")
    return f"So far, after {steps}," if is_live else f"After {steps}"


def _gain(one: Adapted, widths: np.ndarray, is_live: bool) -> str:
    """What adaptation brought to one run."""
    when, name = _when(one, is_live), _name(one)
    before, after = one.bits_per_byte[0], one.bits_per_byte[-1]
    if one.last_step == 0:
        return f"{when} {name} reads this text at **{after:.2f} bits per byte**"
    low, high = interval_per_byte(one.bits[0] - one.bits[-1], widths)
    change = f"{after:.2f} instead of {before:.2f} bits per byte"
    share = f"{100 * abs(before - after) / before:.0f} %" if before else "0 %"
    if math.isnan(low):
        way = "fewer" if after <= before else "more"
        doubt = "the text is too short to say how sure that is"
        return f"{when} {name} needs {share} {way} bits, {change}: {doubt}"
    sure = f"{change}, {_interval(before - after, low, high, 'saves')}"
    if low > 0:
        return f"{when} {name} needs **{share} fewer bits**: {sure}"
    if high < 0:
        lost = f"adaptation hurts, it {_interval(after - before, -high, -low, 'loses')}"
        return f"{when} {name} needs **{share} more bits**, {change}: {lost}"
    return f"{when} {name} is **not surely better than before**: {sure}"


def _is_surely_ahead(left: Adapted, right: Adapted, widths: np.ndarray) -> bool:
    """Whether `left` needs fewer bits at its end; a text that is too short leaves it open."""
    low, _ = interval_per_byte(right.bits[-1] - left.bits[-1], widths)
    return low > 0


def _behind(one: Adapted, bar: Adapted, widths: np.ndarray, is_live: bool) -> str:
    """That a baseline is better than a run, however much it saved."""
    low, high = interval_per_byte(one.bits[-1] - bar.bits[-1], widths)
    after, least = one.bits_per_byte[-1], bar.bits_per_byte[-1]
    still = "still " if one.last_step and after < one.bits_per_byte[0] else ""
    return (
        f"{_when(one, is_live)} {_name(one)} is **{still}worse than {_name(bar)}**, by "
        f"{_interval(after - least, low, high)}: {after:.2f} against {least:.2f} bits per byte"
    )


def _change(one: Adapted, widths: np.ndarray) -> str:
    """What adaptation brought, in a sentence that is about something else."""
    if one.last_step == 0:
        return ""
    low, high = interval_per_byte(one.bits[0] - one.bits[-1], widths)
    before, saved = one.bits_per_byte[0], one.bits_per_byte[0] - one.bits_per_byte[-1]
    if low > 0:
        return f"adaptation {_interval(saved, low, high, 'saves')}, from {before:.2f}"
    if high < 0:
        return f"adaptation hurts: it {_interval(-saved, -high, -low, 'loses')}, from {before:.2f}"
    return f"adaptation changes nothing surely ({_signed(low)} to {_signed(high)}), from {before:.2f}"


def _beside(best: Adapted, other: Adapted, widths: np.ndarray) -> str:
    """How far ahead of another it is, on the very same characters."""
    low, high = interval_per_byte(other.bits[-1] - best.bits[-1], widths)
    ahead, name = other.bits_per_byte[-1] - best.bits_per_byte[-1], _name(other)
    if math.isnan(low):
        return f"{name} needs {'fewer' if ahead < 0 else 'more'}, {other.bits_per_byte[-1]:.2f}"
    if low > 0:
        return f"it is ahead of {name} by {_interval(ahead, low, high)}"
    return f"between it and {name} there is no sure difference ({_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _interval(value: float, low: float, high: float, verb: str = "") -> str:
    return f"{verb} {value:.2f} (95 % interval {low:.2f} to {high:.2f})".strip()


def _name(one: Adapted) -> str:
    name = wording.plain(one.style.name)
    return f"**{name}**" if one.run else f"the {name} baseline"
