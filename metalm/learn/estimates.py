"""What a config costs: as `calibration` measured it, and what that comes to for a budget. Without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from metalm.config import RunConfig

# Measured with DuckDB 2: a metric's row, compressed.
_BYTES_A_NUMBER = 12


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What was measured. A `step` is an outer step without meta-validation; its numbers are means.

    step_numbers: losses and measures that a step adds to the store. validation_seconds: one meta-validation
    of all its tasks. tuning_seconds: finding how the finished run adapts. memory_bytes: the most that was
    taken at once, on the GPU where it trains there, else of the process, beyond what that held before.
    memory_parts: the same from the shapes alone, by what it is for. weights_bytes, checkpoint_bytes: the
    files that the run leaves.
    """

    device: str
    steps_measured: int
    step_seconds: float
    step_tokens: float
    step_gradient_evaluations: float
    step_flops: float
    step_numbers: float
    validation_seconds: float
    tuning_seconds: float
    num_weights: int
    memory_bytes: int
    memory_parts: dict[str, int] = field(default_factory=dict)
    weights_bytes: int
    checkpoint_bytes: int

    @property
    def tokens_per_second(self) -> float:
        """Tokens trained on in a second, meta-validation aside."""
        return self.step_tokens / self.step_seconds


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A run from launch to its end. seconds: training, meta-validation and tuning; validations: how many."""

    steps: int
    validations: int
    seconds: float
    training_seconds: float
    validation_seconds: float
    tuning_seconds: float
    tokens: float
    gradient_evaluations: float
    flops: float
    disk_bytes: float


def forecast(estimate: Estimate, config: RunConfig) -> Forecast:
    """What a run of `config` will take, when its steps cost what was measured."""
    steps = _steps(estimate, config)
    validations = _validations(config, steps) if estimate.validation_seconds else 0
    training = steps * estimate.step_seconds
    validation = validations * estimate.validation_seconds
    return Forecast(
        steps=steps,
        validations=validations,
        seconds=training + validation + estimate.tuning_seconds,
        training_seconds=training,
        validation_seconds=validation,
        tuning_seconds=estimate.tuning_seconds,
        tokens=steps * estimate.step_tokens,
        gradient_evaluations=steps * estimate.step_gradient_evaluations,
        flops=steps * estimate.step_flops,
        disk_bytes=estimate.weights_bytes
        + estimate.checkpoint_bytes
        + steps * estimate.step_numbers * _BYTES_A_NUMBER,
    )


def _steps(estimate: Estimate, config: RunConfig) -> int:
    """Outer steps until the budget is used; one at least."""
    amount, every = config.budget.amount, config.validation.every
    match config.budget.unit:
        case "steps":
            steps = amount
        case "tokens":
            steps = amount / estimate.step_tokens
        case "minutes":  # which count meta-validation too: the first one, and a share of one with each step
            share = estimate.validation_seconds / every if every else 0.0
            first = estimate.validation_seconds if every else 0.0
            steps = (60 * amount - first) / (estimate.step_seconds + share)
    return max(1, math.ceil(steps))


def _validations(config: RunConfig, steps: int) -> int:
    """Meta-validations of a run of so many steps: before the first, every so often, and after the last."""
    every = config.validation.every
    return 1 if every == 0 else 1 + math.ceil(steps / every)
