"""What learning tells: losses in summed nats with their counts, one Report an outer step.

Nothing here is averaged over tasks that the reader might want one by one; `metalm.units` derives every number
that people read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# support: what a task's learner adapts on; query: what the outer objective is made of (for joint and
# sequential, whatever they train on); validation: the query set of a meta-validation task.
Part = Literal["support", "query", "validation"]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The loss of one task after `adaptation_step` adaptation steps, summed over what was scored."""

    task_id: str
    part: Part
    adaptation_step: int
    nats: float
    tokens: int
    bytes: int
    chars: int


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number about the step itself: a gradient's norm, a learned rate, a weight's drift.

    adaptation_step: the step of adaptation that it is about (from 0), where it is about one.
    """

    name: str
    value: float
    task_id: str | None = None
    adaptation_step: int | None = None


@dataclass(frozen=True)
class Told:
    """What is told of a step, before it is a report; two of the same step add up."""

    losses: tuple[Loss, ...] = ()
    scalars: dict[str, float] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()

    def __add__(self, other: Told) -> Told:
        return Told(
            self.losses + other.losses, {**self.scalars, **other.scalars}, self.measures + other.measures
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """One outer step, after it was made.

    tokens: predictions whose gradient was taken so far, those of adaptation included. gradient_evaluations:
    the same with Hessian products, each worth as many gradients as it costs. flops: estimated,
    meta-validation left out, as in both others. seconds: spent on training and meta-validation so far.
    scalars: "lr", "gradient_norm" and the like. measures: what is told beside (`metalm.learn.measures`).
    progress: the share of the budget that is used, 0 to 1. is_best: this step's meta-validation is the best
    so far. A report with validation losses only makes up for a meta-validation that a stop had cut off.
    """

    step: int
    tokens: int
    gradient_evaluations: int
    flops: float
    seconds: float
    losses: tuple[Loss, ...]
    scalars: dict[str, float] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()
    progress: float
    is_best: bool = False
