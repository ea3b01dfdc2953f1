"""A GRU and an n-gram cache, mixed byte by byte as they code; of the online track.

The GRU's weights stay as the support set left them ("cache"), or go on learning too ("dynamic evaluation +
cache", see `metalm.evaluate.dynamic`). Rates are tuned on meta-validation tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from metalm.config import InnerLoop
from metalm.errors import ConfigError
from metalm.evaluate.coder import Cache, cached_nats
from metalm.evaluate.contenders import Case, Judged, Method
from metalm.evaluate.dynamic import Dynamic
from metalm.learn.inner import SupportSet, adapt, blocks
from metalm.learn.rules import Rule
from metalm.learn.score import Score, Stream
from metalm.learn.stopping import ShouldStop, never
from metalm.learn.validation import validation_tasks
from metalm.model.engine import Engine
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import TaskWeights, of_tasks, shared
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer
from metalm.units import bits_per_byte

# What is tried; every run at the same points.
LRS, RATES = (0.05, 0.1, 0.2, 0.4), (0.0005, 0.001, 0.002, 0.004)
_SUPPORT_BYTES = _QUERY_BYTES = 2048  # of each task, in tuning
_TOKENS_AT_ONCE = 1 << 18  # of streams side by side: their caches take about 350 MB


@dataclass(frozen=True, kw_only=True)
class CachedGru:
    """A GRU that is mixed with a cache of the text so far. It is judged once: step 0 is all of it.

    weights: where it starts. rule: how it adapts to the support set before it reads it; not at all, unless
    steps are asked for. dynamic: how its weights learn while it codes; at a rate of 0 they do not. seed: of
    the run that made them. Raises ConfigError for tokens that are no bytes: they give no distribution over
    bytes.
    """

    track: Literal["online"] = "online"
    model: GRULM
    weights: Weights
    tokenizer: Tokenizer
    rule: Rule = Rule(InnerLoop(steps=0))
    settings: Cache = Cache()
    dynamic: Dynamic = Dynamic(lr=0.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokenizer.kind != "bytes":
            raise ConfigError(
                f"tokenizer.kind must be bytes to mix with a cache of bytes, got {self.tokenizer.kind!r}"
            )

    @property
    def method(self) -> Method:
        """By whether the weights learn while they code."""
        return "dynamic evaluation + cache" if self.dynamic.lr else "cache"

    @property
    def adaptation(self) -> dict[str, Any]:
        """The settings of each of its parts."""
        parts = {"cache": self.settings, "dynamic": self.dynamic, "inner": self.rule.inner}
        return {name: asdict(part) for name, part in parts.items()}

    def steps(self, _support_bytes: int) -> tuple[int, ...]:
        """Step 0 only."""
        return (0,)

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """See `Contender.judged`."""
        asked = [number for number, case in enumerate(cases) if 0 in case.steps]
        streams = [Stream.of(self.tokenizer, cases[n].support, cases[n].query) for n in asked]
        engine, begin = engine_for(self.model), time.perf_counter()
        weights = self._adapted(engine, [cases[n].support for n in asked], should_stop)
        sums: list[float] = []
        for group in _groups(streams):
            rows, chosen = list(group), [streams[row] for row in group]
            parts = engine, of_tasks(weights, rows), chosen, self.settings, self.dynamic
            sums += [float(nats.sum()) for nats in cached_nats(*parts, should_stop=should_stop)]
        seconds = (time.perf_counter() - begin) / max(1, len(streams))
        for number, stream, nats in zip(asked, streams, sums, strict=True):
            cost = Score(nats, len(stream.query.ids), stream.bytes, stream.chars, seconds)
            yield Judged(number, 0, seconds, cost)

    def _adapted(self, engine: Engine, supports: Sequence[bytes], should_stop: ShouldStop) -> TaskWeights:
        device = next(iter(self.weights.values())).device
        window = self.rule.inner.window
        sets = [SupportSet.of_text(self.tokenizer, support, window, device) for support in supports]
        return adapt(engine, shared(self.weights, len(sets)), sets, self.rule, should_stop=should_stop)


def _groups(streams: Sequence[Stream]) -> Iterator[range]:
    """Streams that are read side by side: as many as come to `_TOKENS_AT_ONCE`, and one at least."""
    begin, tokens = 0, 0
    for row, stream in enumerate(streams):
        if row > begin and tokens + len(stream.ids) > _TOKENS_AT_ONCE:
            yield range(begin, row)
            begin, tokens = row, 0
        tokens += len(stream.ids)
    if streams:
        yield range(begin, len(streams))


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """A contender at the best of what was tried on meta-validation.

    grid: every point as JSON data: steps (of the adaptation to the support set before), lr (of dynamic
    evaluation), rate (of the mixing weights) and bits_per_byte, the mean over tasks, None where one diverged.
    edges: "lr" and "rate" where the best lies at an end of what was tried, so that more might be better.
    """

    contender: CachedGru
    grid: tuple[dict[str, Any], ...] = ()
    edges: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, from which `as_tuned` makes the contender again."""
        best = self.contender
        return {
            "settings": asdict(best.settings),
            "dynamic": asdict(best.dynamic),
            "steps": best.rule.inner.steps,
            "grid": list(self.grid),
            "edges": list(self.edges),
        }


def as_tuned(contender: CachedGru, data: Mapping[str, Any]) -> CachedGru:
    """The contender with the settings that `Tuned.to_json` wrote."""
    return replace(
        contender,
        rule=contender.rule.with_inner(steps=data["steps"]),
        settings=Cache(**data["settings"]),
        dynamic=Dynamic(**data["dynamic"]),
    )


def tuned_cached(
    contender: CachedGru, validation: Sequence[TaskText], *, should_stop: ShouldStop = never
) -> Tuned:
    """The same as it costs the fewest bits per byte on meta-validation texts; the method stays.

    First whether its rule's steps are taken, together with the rate of dynamic evaluation where there is any;
    then, at the best of those, the rate of the mixing weights. Without texts the settings stand. Raises
    Stopped.
    """
    cases = [
        Case(task.support, task.query, (0,))
        for task in validation_tasks(validation, _SUPPORT_BYTES, _QUERY_BYTES)
    ]
    if not cases:
        return Tuned(contender=contender)
    lrs = LRS if contender.dynamic.lr else (0.0,)
    found: dict[tuple[int, float, float], tuple[float, CachedGru]] = {}

    def try_all(tried: Sequence[CachedGru]) -> CachedGru:
        for one in tried:
            point = one.rule.inner.steps, one.dynamic.lr, one.settings.rate
            if point not in found:
                found[point] = _cost(one, cases, should_stop), one
        return min(found.values(), key=lambda pair: pair[0])[1]

    best = try_all(
        [
            replace(contender, rule=contender.rule.with_inner(steps=n), dynamic=dynamic)
            for n in sorted({0, contender.rule.inner.steps})
            for dynamic in (replace(contender.dynamic, lr=lr) for lr in lrs)
        ]
    )
    best = try_all([replace(best, settings=replace(best.settings, rate=rate)) for rate in RATES])
    grid = tuple(
        {"steps": n, "lr": lr, "rate": rate, "bits_per_byte": bits if math.isfinite(bits) else None}
        for (n, lr, rate), (bits, _) in found.items()
    )
    edges = ("lr",) * (len(lrs) > 1 and best.dynamic.lr in (lrs[0], lrs[-1]))
    edges += ("rate",) * (best.settings.rate in (RATES[0], RATES[-1]))
    return Tuned(contender=best, grid=grid, edges=edges)


def _cost(contender: CachedGru, cases: Sequence[Case], should_stop: ShouldStop) -> float:
    """Mean bits per byte over the cases; infinite where one diverged."""
    found = [judged for block in blocks(cases) for judged in contender.judged(block, should_stop)]
    mean = float(np.mean([bits_per_byte(judged.score.nats, judged.score.bytes) for judged in found]))
    return mean if math.isfinite(mean) else math.inf
