"""What a config costs on its split, measured before it is launched: a few outer steps, some tasks validated.

A short training is started with that very config and thrown away. Some algorithms change their work over the
budget (maml++ begins in first order and judges every step), so the steps measured lie evenly over it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

import torch

from metalm.config import Budget, RunConfig
from metalm.learn.estimates import Estimate
from metalm.learn.memory import PeakMemory, memory_parts
from metalm.learn.outer import Training
from metalm.learn.reports import Report
from metalm.learn.stopping import ShouldStop, Stopped, never
from metalm.learn.tuning import grid_for, tune
from metalm.learn.validation import validation_losses, validation_tasks
from metalm.model.fast_weights import Weights, num_weights
from metalm.model.weight_files import save_weights
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer

# Shares of the budget at which steps are measured: evenly spread after any number of them.
_PLACES = (0.5, 0.1, 0.9, 0.3, 0.7)
_BUDGET = 1000  # outer steps of the training that is thrown away: only the places above in it are visited
_SECONDS = 3.0  # of measured steps; one step is measured however long it takes
_ROUNDS = 5
_SHORT = 0.3  # seconds of a step
_TASKS = 8  # meta-validation tasks that are measured side by side, unless steps are long


@dataclass(frozen=True)
class _Step:
    """What one outer step took, and how many numbers it told."""

    seconds: float
    tokens: int
    gradient_evaluations: float
    flops: float
    numbers: int


def calibrate(
    config: RunConfig,
    train: Sequence[TaskText],
    validation: Sequence[TaskText],
    tokenizer: Tokenizer,
    tokens_dir: Path,
    device: torch.device,
    initial_weights: Weights | None = None,
    initial_learned: Weights | None = None,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
    should_stop: ShouldStop = never,
) -> Estimate:
    """Measures a run; arguments as of `Training.start`. on_progress hears the share done, 0 to 1.

    Token files of the tasks may stay; nothing else does. Raises what `Training.start` and `run` raise, and
    Stopped.
    """
    short = replace(config, budget=Budget(amount=_BUDGET), validation=replace(config.validation, every=0))
    with PeakMemory(device) as memory:
        training = Training.start(
            short, train, (), tokenizer, tokens_dir, device, initial_weights, should_stop, initial_learned
        )
        on_progress(0.2)
        steps = _measured_steps(training, lambda share: on_progress(0.2 + 0.5 * share), should_stop)
        step_seconds = fmean(median(step.seconds for step in at_place) for at_place in steps)
        num_tasks = _TASKS if step_seconds < _SHORT else 1
        judging = _judging_seconds(training, validation, num_tasks, should_stop)
    weights = num_weights(training.model)
    weights_bytes, checkpoint_bytes = _file_sizes(training)
    return Estimate(
        device=device.type,
        steps_measured=sum(len(at_place) for at_place in steps),
        step_seconds=step_seconds,
        step_tokens=_mean(steps, "tokens"),
        step_gradient_evaluations=_mean(steps, "gradient_evaluations"),
        step_flops=_mean(steps, "flops"),
        step_numbers=_mean(steps, "numbers"),
        validation_seconds=judging[0],
        tuning_seconds=judging[1],
        num_weights=weights,
        memory_bytes=memory.peak_bytes,
        memory_parts=memory_parts(config, tokenizer.vocab_size, weights),
        weights_bytes=weights_bytes,
        # A run that is judged keeps its best weights too.
        checkpoint_bytes=checkpoint_bytes + weights_bytes * bool(validation),
    )


def _measured_steps(
    training: Training, on_progress: Callable[[float], None], should_stop: ShouldStop
) -> list[list[_Step]]:
    """The steps made at each place of the budget, for some seconds in all."""
    steps: dict[float, list[_Step]] = {}
    with closing(training.run(should_stop)) as reports:
        # Not counted: the first step loads kernels, touches its memory, makes the optimiser's state.
        first = _step(training, reports)
        begin = time.perf_counter()
        for number in range(_ROUNDS * len(_PLACES)):
            place = _PLACES[number % len(_PLACES)]
            training.state.step = round(place * _BUDGET)
            # Data are drawn ahead, but not where the run jumps to; beside a long step that is nothing.
            if first.seconds < _SHORT:
                _step(training, reports)
            steps.setdefault(place, []).append(_step(training, reports))
            share = (time.perf_counter() - begin) / _SECONDS
            on_progress(min(share, 1.0))
            if share >= 1:
                break
    return list(steps.values())


def _step(training: Training, reports: Iterator[Report]) -> _Step:
    """The next outer step of a training."""
    before = replace(training.state)
    report = _next(reports)
    return _Step(
        seconds=report.seconds - before.seconds,
        tokens=report.tokens - before.tokens,
        gradient_evaluations=report.gradient_evaluations - before.gradient_evaluations,
        flops=report.flops - before.flops,
        numbers=4 * len(report.losses) + len(report.scalars) + len(report.measures),
    )


def _judging_seconds(
    training: Training, texts: Sequence[TaskText], num_measured: int, should_stop: ShouldStop
) -> tuple[float, float]:
    """(one meta-validation, the tuning at the end), each measured on a few of the tasks, charged for all."""
    if not texts:
        return 0.0, 0.0
    asked, share = training.config.validation, len(texts) / min(num_measured, len(texts))
    tasks = validation_tasks(texts[:num_measured], asked.support_bytes, asked.query_bytes)
    run = training.model, training.weights, training.tokenizer
    begin = time.perf_counter()
    validation_losses(*run, tasks, training.rule, should_stop)
    validated = time.perf_counter()
    grid = grid_for(training.rule)
    one = replace(grid, lrs=grid.lrs[:1])
    tune(*run, texts[:num_measured], training.rule, one, should_stop=should_stop)
    tuning = (time.perf_counter() - validated) * len(grid.lrs)
    return share * (validated - begin), share * tuning


def _next(reports: Iterator[Report]) -> Report:
    report = next(reports, None)
    if report is None:  # the flag ends a training without a word
        raise Stopped
    return report


def _mean(steps: Sequence[Sequence[_Step]], name: str) -> float:
    return fmean(fmean(getattr(step, name) for step in at_place) for at_place in steps)


def _file_sizes(training: Training) -> tuple[int, int]:
    """Bytes of the weights and of a checkpoint, by writing both to where nothing stays."""
    with tempfile.TemporaryDirectory(prefix="metalm-") as scratch:
        folder = Path(scratch)
        training.save(folder)
        checkpoint = sum(file.stat().st_size for file in folder.iterdir())
        save_weights(folder / "weights.safetensors", training.weights)
        return (folder / "weights.safetensors").stat().st_size, checkpoint
