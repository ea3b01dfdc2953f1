"""Dynamic evaluation (Krause et al. 2018, arXiv:1709.07432): the weights go on learning while they code.

The support set and then the query are read in segments; each is charged first and learned from then:
theta <- theta - lr c g + decay (theta_0 - theta), g the gradient of the segment's nats per token, c the clip
factor, theta_0 the slow weights. The state is carried over, its gradient is not. Rate and decay are tuned on
meta-validation tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from metalm.config import Settings, setting
from metalm.evaluate.contenders import Case, Judged, Method
from metalm.learn.inner import blocks, clip_factors
from metalm.learn.score import Piece, Score, Stream, windows_of
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.validation import validation_tasks
from metalm.model.engine import Engine, Losses, Windows
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import TaskWeights, norms_T, per_task, shared
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer
from metalm.units import bits_per_byte

# What is tried; every run at the same points.
LRS, DECAYS = (0.05, 0.1, 0.2, 0.4), (0.0, 0.01)
_SUPPORT_BYTES = _QUERY_BYTES = 2048  # of each task, in tuning


@dataclass(frozen=True, kw_only=True)
class Dynamic(Settings):
    """How the weights learn while they code. A rate of 0 leaves them as they are."""

    section = "dynamic"
    lr: float = setting(0.1, "step size of a segment", at_least=0.0, at_most=100.0)
    decay: float = setting(
        0.0, "share of the way back to the slow weights, a segment", at_least=0.0, at_most=1.0
    )
    segment: int = setting(32, "tokens that are charged before they are learned from", at_least=1)
    clip: float = setting(1.0, "longest gradient of a segment; 0: no limit", at_least=0.0)


@dataclass(frozen=True)
class Segment:
    """A segment of each stream, with the weights that code it and the losses under them."""

    pieces: list[Piece]
    windows: Windows
    weights: TaskWeights
    losses: Losses


@torch.no_grad()
def segments(
    engine: Engine,
    weights: TaskWeights,
    streams: Sequence[Stream],
    settings: Dynamic,
    *,
    should_stop: ShouldStop = never,
) -> Iterator[Segment]:
    """The segments in order. A segment's weights have learned from those before it, and from no other.

    Streams of different lengths lie side by side; one that has ended learns nothing more. Raises Stopped.
    """
    start, hidden_TLBH = weights, None
    longest = max((len(stream.ids) for stream in streams), default=0)
    for begin in range(0, longest - 1, settings.segment):
        stop_if(should_stop)
        pieces = [Piece.of(stream, begin, settings.segment) for stream in streams]
        windows = windows_of(pieces, weights["linear.bias"].device, hidden_TLBH, all_count=True)
        if settings.lr == 0:
            losses, gradient = engine.losses(weights, windows), None
        else:
            losses, gradient = engine.gradient(weights, windows)
        yield Segment(pieces, windows, weights, losses)
        if gradient is not None:
            weights = _learned(weights, start, gradient, settings)
        hidden_TLBH = losses.hidden_TLBH


def _learned(
    weights: TaskWeights, start: TaskWeights, gradient: TaskWeights, settings: Dynamic
) -> TaskWeights:
    factors_T = clip_factors(norms_T(gradient), settings.clip)
    return {
        name: torch.addcmul(
            torch.lerp(weight, start[name], settings.decay),
            gradient[name],
            per_task(factors_T, weight),
            value=-settings.lr,
        )
        for name, weight in weights.items()
    }


def dynamic_nats(
    engine: Engine,
    weights: TaskWeights,
    streams: Sequence[Stream],
    settings: Dynamic,
    *,
    should_stop: ShouldStop = never,
) -> list[np.ndarray]:
    """Nats of every query token of each stream, float64, as `metalm.learn.score.stream_nats` gives them.

    See `segments`. Raises Stopped.
    """
    nats = [np.full(len(stream.query.ids), math.log(weights["linear.bias"].shape[1])) for stream in streams]
    for segment in segments(engine, weights, streams, settings, should_stop=should_stop):
        nats_TS = segment.losses.nats_TBS[:, 0].cpu().double().numpy()
        for found, piece, nats_S in zip(nats, segment.pieces, nats_TS, strict=True):
            found[piece.place] = nats_S[piece.counted]
    return nats


@dataclass(frozen=True, kw_only=True)
class DynamicGru:
    """A GRU whose weights go on learning while it codes; of the online track. It takes no adaptation steps.

    weights: where it starts. seed: of the run that made them.
    """

    method: Method = "dynamic evaluation"
    track: Literal["online"] = "online"
    model: GRULM
    weights: Weights
    tokenizer: Tokenizer
    settings: Dynamic = Dynamic()
    seed: int = 0

    @property
    def adaptation(self) -> dict[str, Any]:
        """Rate, decay and the rest."""
        return asdict(self.settings)

    def steps(self, _support_bytes: int) -> tuple[int, ...]:
        """Step 0 only."""
        return (0,)

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """See `Contender.judged`."""
        asked = [number for number, case in enumerate(cases) if 0 in case.steps]
        streams = [Stream.of(self.tokenizer, cases[n].support, cases[n].query) for n in asked]
        engine, begin = engine_for(self.model), time.perf_counter()
        slow = shared(self.weights, len(streams))
        sums = [
            nats.sum() for nats in dynamic_nats(engine, slow, streams, self.settings, should_stop=should_stop)
        ]
        seconds = (time.perf_counter() - begin) / max(1, len(streams))
        for number, stream, nats in zip(asked, streams, sums, strict=True):
            total = float(nats + stream.extra_nats)
            cost = Score(total, len(stream.query.ids), stream.bytes, stream.chars, seconds)
            yield Judged(number, 0, seconds, cost)


def tuned_dynamic(
    contender: DynamicGru, validation: Sequence[TaskText], *, should_stop: ShouldStop = never
) -> DynamicGru:
    """The same with the rate and the decay that cost the fewest bits per byte on meta-validation texts.

    Without texts the settings stand. Raises Stopped.
    """
    tried = [
        replace(contender, settings=replace(contender.settings, lr=lr, decay=decay))
        for lr in LRS
        for decay in DECAYS
    ]
    tasks = validation_tasks(validation, _SUPPORT_BYTES, _QUERY_BYTES)
    if not tasks:
        return contender
    cases = [Case(task.support, task.query, (0,)) for task in tasks]

    def cost(one: DynamicGru) -> float:
        found = [judged for block in blocks(cases) for judged in one.judged(block, should_stop)]
        mean = float(np.mean([bits_per_byte(judged.score.nats, judged.score.bytes) for judged in found]))
        return mean if math.isfinite(mean) else math.inf

    return min(tried, key=cost)
