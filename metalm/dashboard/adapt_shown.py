"""What a demo shows of a run or a baseline, the same while it runs, from its records, and in its export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from metalm import units
from metalm.dashboard import palette, state
from metalm.dashboard.components.character_view import AdaptedText
from metalm.dashboard.palette import RunStyle
from metalm.errors import MetalmError
from metalm.evaluate.compressors import added_nats, ppmd, xz
from metalm.evaluate.live import BASELINES, baseline_char_nats
from metalm.jobs.demo import Demo, samples_of
from metalm.store.adaptations import AdaptationRecord, Sample


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A run's or a baseline's way through the query set.

    bits: (S, C) of each of its C characters after each of the steps, step 0 first. guesses: what the run
    expected, by step. run: "" for a baseline, which takes no steps.
    """

    key: str
    run: str
    style: RunStyle
    bits: np.ndarray
    num_bytes: int
    seconds: float = 0.0
    guesses: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    samples: Sequence[Sample] = ()
    stopped_after: tuple[int, int] | None = None  # steps made and asked for, where it was stopped on its way

    @property
    def last_step(self) -> int:
        """The adaptation steps that it took."""
        return len(self.bits) - 1

    @property
    def bits_per_byte(self) -> list[float]:
        """Of the whole query set, step by step."""
        return (self.bits.sum(axis=1) / self.num_bytes).tolist()

    def panel(self) -> AdaptedText:
        """As the character view draws it."""
        return AdaptedText(self.style.name, self.style.colour, self.bits, self.bits_per_byte, self.guesses)


def of_records(records: Sequence[AdaptationRecord]) -> list[Adapted]:
    """Saved demos of one text, with their steps and samples."""
    store = state.home().store.adaptations
    styles = _styles([(record.id, record.run) for record in records])
    shown = []
    for record, style in zip(records, styles, strict=True):
        steps = store.steps(record.id)
        shown.append(
            Adapted(
                key=record.id,
                run=record.run,
                style=style,
                bits=units.bits(np.array([step.char_nats for step in steps])),
                num_bytes=len(record.query.encode()),
                seconds=steps[-1].seconds,
                guesses={step.step: step.guesses for step in steps if step.guesses},
                samples=store.samples(adaptation_id=record.id),
                stopped_after=record.stopped_after,
            )
        )
    return shown


def of_demo(demo: Demo) -> list[Adapted]:
    """What a demo under way has shown so far; runs without a step are left out."""
    parts = [(part, list(part.steps)) for part in demo.parts]
    styles = _styles([(part.record_id, part.run_id) for part, _ in parts])
    return [
        Adapted(
            key=part.record_id,
            run=part.run_id,
            style=style,
            bits=units.bits(np.array([step.char_nats for step in steps])),
            num_bytes=len(demo.asked.query),
            seconds=steps[-1].seconds,
            guesses={step: one.to_json() for step, one in list(part.guesses.items())},
            samples=samples_of(part, demo.asked.writing),
        )
        for (part, steps), style in zip(parts, styles, strict=True)
        if steps
    ]


def of_baselines(names: Sequence[str], support: str, query: str) -> list[Adapted]:
    """What counting alone makes of the text."""
    styles = palette.baseline_styles(list(BASELINES))
    read, judged = support.encode(), query.encode()
    return [
        Adapted(
            key=f"baseline.{name}",
            run="",
            style=styles[name],
            bits=_baseline_bits(name, read, judged),
            num_bytes=len(judged),
        )
        for name in names
    ]


# A live page asks for the same several times a second.
@lru_cache(maxsize=32)
def _baseline_bits(name: str, support: bytes, query: bytes) -> np.ndarray:
    return units.bits(baseline_char_nats(name, support, query))[None]


@lru_cache(maxsize=32)
def online(support: str, query: str) -> Mapping[str, float]:
    """Bits per byte of the compressors, which learn while they code."""
    read, judged = support.encode(), query.encode()
    return {
        name: units.bits_per_byte(added_nats(compress, read, judged), len(judged))
        for name, compress in {"PPMd": ppmd, "xz": xz}.items()
    }


def _styles(keys: Sequence[tuple[str, str]]) -> list[RunStyle]:
    """How each (record, run) is drawn: as its run is everywhere; a second one of a run has its own style."""
    runs = [run for _, run in keys]
    names = {(run if run not in runs[:i] else record): run_name(run) for i, (record, run) in enumerate(keys)}
    return list(palette.run_styles(names).values())


def run_name(run_id: str) -> str:
    """The run's name, or that it is gone."""
    try:
        return state.home().run(run_id).name
    except MetalmError:
        return f"deleted run {run_id[:4]}"
