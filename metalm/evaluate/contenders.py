"""What can be judged: something that reads a support set and then says what a query set costs it.

A contender yields the cost after each of its adaptation steps; one that does not adapt has step 0 only.
Cutting texts and naming rows is left to `protocol`, so that every contender meets the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from metalm.config import InnerLoop
from metalm.learn.inner import SupportSet, adaptation
from metalm.learn.rules import Rule
from metalm.learn.score import Score, score
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import of_task, shared
from metalm.text.tokenizers import Tokenizer

Method = Literal["adapt", "uniform", "unigram", "scratch", "joint zero-shot", "joint fine-tuning"]


@dataclass(frozen=True)
class Judged:
    """The cost of a query set after `step` adaptation steps, which took `seconds` (scoring not counted)."""

    step: int
    seconds: float
    score: Score


class Contender(Protocol):
    """One method, ready to meet any task.

    method, adaptation (its settings as plain JSON data) and seed are recorded with each of its scores.
    """

    @property
    def method(self) -> Method: ...

    @property
    def adaptation(self) -> dict[str, Any]: ...

    @property
    def seed(self) -> int: ...

    def steps(self) -> tuple[int, ...]:
        """The adaptation steps after which it is judged, rising from 0."""
        ...

    def judged(
        self, support: bytes, query: bytes, steps: Collection[int], should_stop: ShouldStop = never
    ) -> Iterator[Judged]:
        """The cost of `query` after each of `steps` that `support` allows. Raises Stopped."""
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


@dataclass(frozen=True, kw_only=True)
class AdaptingGru:
    """A GRU that takes the steps of its inner loop on the support set, then reads support and query.

    weights: where adaptation starts. seed: of the run that made them.
    """

    method: Method = "adapt"
    model: GRULM
    weights: Weights
    tokenizer: Tokenizer
    inner: InnerLoop
    seed: int = 0

    @property
    def adaptation(self) -> dict[str, Any]:
        """The inner loop's settings."""
        return asdict(self.inner)

    def steps(self) -> tuple[int, ...]:
        """See `recorded_steps`."""
        return recorded_steps(self.inner.steps)

    def judged(
        self, support: bytes, query: bytes, steps: Collection[int], should_stop: ShouldStop = never
    ) -> Iterator[Judged]:
        """See `Contender.judged`; adaptation ends with the last of `steps`."""
        device = next(iter(self.weights.values())).device
        windows = SupportSet.of_text(self.tokenizer, support, self.inner.window, device)
        seconds, begin = 0.0, time.perf_counter()
        engine, slow = engine_for(self.model), shared(self.weights, 1)
        for adapted in adaptation(engine, slow, [windows], Rule(self.inner)):
            seconds += time.perf_counter() - begin
            stop_if(should_stop)
            if adapted.step in steps:
                fast = of_task(adapted.weights, 0)
                cost = score(self.model, fast, self.tokenizer, support, query, should_stop=should_stop)
                yield Judged(adapted.step, seconds, cost)
            if adapted.step >= max(steps):
                return
            begin = time.perf_counter()
