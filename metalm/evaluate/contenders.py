"""What can be judged: something that reads a support set and then says what a query set costs it.

A contender yields the cost after each of its adaptation steps; one that does not adapt has step 0 only. It
meets several tasks at once, side by side. Cutting texts and naming rows is left to `protocol`, so that every
contender meets the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from metalm.config import InnerLoop, length_for
from metalm.learn.inner import SupportSet, adaptation
from metalm.learn.rules import Rule
from metalm.learn.score import Score, Stream, scores
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import of_tasks, shared
from metalm.text.tokenizers import Tokenizer

Method = Literal[
    "adapt",
    "head only",
    "proximal",
    "Adam",
    "one rate",
    "dynamic evaluation",
    "cache",
    "dynamic evaluation + cache",
    "pool",
    "posterior pool",
    "bayes",
    "uniform",
    "unigram",
    "n-gram",
    "scratch",
    "joint zero-shot",
    "joint fine-tuning",
    "joint continued",
    "PPMd",
    "PPMd primed",
    "xz",
]
Track = Literal["static", "online"]  # weights frozen after the support set; or learning while it codes


@dataclass(frozen=True)
class Case:
    """What a contender is judged on: the bytes of a support and a query set, and after which steps."""

    support: bytes
    query: bytes
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Judged:
    """The cost of a query set after `step` adaptation steps, which took `seconds` (scoring not counted).

    case: which of the cases it is of. Of those that adapted side by side each took its share of the seconds.
    """

    case: int
    step: int
    seconds: float
    score: Score


class Contender(Protocol):
    """One method, ready to meet any task.

    method, track, adaptation (its settings as plain JSON data) and seed are recorded with each of its scores.
    """

    @property
    def method(self) -> Method: ...

    @property
    def track(self) -> Track: ...

    @property
    def adaptation(self) -> dict[str, Any]: ...

    @property
    def seed(self) -> int: ...

    def steps(self, support_bytes: int) -> tuple[int, ...]:
        """The adaptation steps to a support set of that size after which it is judged, rising from 0."""
        ...

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """The cost of each case's query after each of its steps that its support set allows.

        As many cases as `metalm.learn.inner.blocks` puts side by side. Raises Stopped.
        """
        ...


def recorded_steps(last: int) -> tuple[int, ...]:
    """The steps from 0 to `last` that are worth a score: all of few, ever fewer of many, always the last.

    Up to 5 each one; beyond, Fibonacci's numbers: 0, 1, 2, 3, 5, 8, 13 ...
    """
    if last <= 5:
        return tuple(range(last + 1))
    steps, following = [0, 1], 2
    while following < last:
        steps.append(following)
        following += steps[-2] or 1
    return (*steps, last)


def as_told(inner: InnerLoop, lengths: Mapping[int, int]) -> dict[str, Any]:
    """How a GRU adapts, as the rows of its scores tell it."""
    by_size = {"lengths": {str(size): steps for size, steps in lengths.items()}} if lengths else {}
    return {**asdict(inner), **by_size}


@dataclass(frozen=True, kw_only=True)
class AdaptingGru:
    """A GRU that adapts to the support set by its rule, then reads support and query.

    weights: where adaptation starts. lengths: the numbers of steps by support bytes, instead of the rule's
    own (`Adaptation.lengths`). seed: of the run that made the weights. ends: it is judged before its first
    step and after its last one only, not along the way.
    """

    method: Method = "adapt"
    track: Track = "static"
    model: GRULM
    weights: Weights
    tokenizer: Tokenizer
    rule: Rule
    lengths: Mapping[int, int] = field(default_factory=dict)
    seed: int = 0
    ends: bool = False

    @property
    def adaptation(self) -> dict[str, Any]:
        """The inner loop's settings, and the steps by support bytes."""
        return as_told(self.rule.inner, self.lengths)

    def steps(self, support_bytes: int) -> tuple[int, ...]:
        """See `recorded_steps`; of them the ends, where those are asked for."""
        steps = recorded_steps(length_for(support_bytes, self.lengths, self.rule.inner.steps))
        return tuple(sorted({steps[0], steps[-1]})) if self.ends else steps

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """See `Contender.judged`; adaptation ends with the last of the steps."""
        engine, window = engine_for(self.model), self.rule.inner.window
        device = next(iter(self.weights.values())).device
        streams = [Stream.of(self.tokenizer, case.support, case.query) for case in cases]
        supports = [SupportSet.of_text(self.tokenizer, case.support, window, device) for case in cases]
        last = max(step for case in cases for step in case.steps)
        rule, (seconds, begin) = self.rule.with_inner(steps=last), (0.0, time.perf_counter())
        for adapted in adaptation(engine, shared(self.weights, len(cases)), supports, rule):
            seconds += (time.perf_counter() - begin) / len(cases)
            stop_if(should_stop)
            asked = [
                number
                for number, (case, support) in enumerate(zip(cases, supports, strict=True))
                if adapted.step in case.steps and (adapted.step == 0 or len(support))
            ]
            if asked:
                weights, chosen = of_tasks(adapted.weights, asked), [streams[number] for number in asked]
                costs = scores(engine, weights, chosen, should_stop=should_stop)
                for number, cost in zip(asked, costs, strict=True):
                    yield Judged(number, adapted.step, seconds, cost)
            if adapted.step >= last:
                return
            begin = time.perf_counter()
