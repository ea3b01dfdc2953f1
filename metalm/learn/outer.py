"""The outer loop: a run from its first step to its last, one Report a step, able to stop and go on anywhere.

All randomness of outer step s follows from (seed, s) alone. So a run that is resumed draws what it would have
drawn, and a checkpoint holds no generator's state.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from metalm.config import RunConfig, run_config
from metalm.errors import ConfigError
from metalm.learn.algorithms import RECIPES
from metalm.learn.checkpoints import read_checkpoint, write_checkpoint
from metalm.learn.learner import Learner
from metalm.learn.meta_batches import MetaBatches
from metalm.learn.reports import Loss, Report
from metalm.learn.stopping import ShouldStop, Stopped, never
from metalm.learn.validation import mean_bits_per_byte, validation_losses, validation_tasks
from metalm.learn.watch import Watch
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import new_model
from metalm.model.weight_files import fitting
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer

_BEST = "best/"


@dataclass
class State:
    """How far a run is: all that a checkpoint holds beside tensors and config. Seconds include validation."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    owes_validation: bool = False  # a meta-validation is due at this step and not yet made
    best_step: int | None = None
    best_value: float | None = None  # bits per byte after adaptation, the mean over meta-validation tasks


class Training:
    """One run under way. `start` or `resume` makes one; `run` trains; `save` keeps it.

    weights, best_weights: slow weights by name, on the device; best_weights are those of the best
    meta-validation, None before there was one. Between two reports, and after `run` ended for whatever
    reason, the state is that of the last whole outer step.
    """

    def __init__(
        self,
        config: RunConfig,
        train: Sequence[TaskText],
        validation: Sequence[TaskText],
        tokenizer: Tokenizer,
        tokens_dir: Path,
        device: torch.device,
        should_stop: ShouldStop = never,
    ) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.state = State()
        self.best_weights: Weights | None = None
        self.model = new_model(config.model, tokenizer.vocab_size, config.seed).to(device)
        self._learner = Learner(self.model, config.algorithm)
        self._meta_batches = MetaBatches(config, train, tokenizer, tokens_dir, device, should_stop)
        limits = config.validation.support_bytes, config.validation.query_bytes
        self._validation = validation_tasks(validation, *limits)
        self.state.owes_validation = config.validation.every > 0 and bool(self._validation)

    @classmethod
    def start(
        cls,
        config: RunConfig,
        train: Sequence[TaskText],
        validation: Sequence[TaskText],
        tokenizer: Tokenizer,
        tokens_dir: Path,
        device: torch.device,
        initial_weights: Weights | None = None,
        should_stop: ShouldStop = never,
    ) -> Training:
        """A run at step 0, from weights that follow from the seed or, for a warm start, `initial_weights`.

        train: at least one meta-train task, in the order in which `sequential` visits them. Raises SplitError
        when one is too short, ConfigError when the weights do not fit the model, Stopped while the tokens of
        the tasks are written.
        """
        training = cls(config, train, validation, tokenizer, tokens_dir, device, should_stop)
        if initial_weights is not None:
            training._learner.restore(fitting(initial_weights, training.model, "the starting run"))
        return training

    @classmethod
    def resume(
        cls,
        folder: Path,
        train: Sequence[TaskText],
        validation: Sequence[TaskText],
        tokenizer: Tokenizer,
        tokens_dir: Path,
        device: torch.device,
        should_stop: ShouldStop = never,
    ) -> Training:
        """The run that `save` left in `folder`; it takes its config along.

        Raises NotFoundError without a checkpoint, ConfigError when it was made with other tasks or another
        tokenizer, Stopped as `start`.
        """
        state, tensors = read_checkpoint(folder)
        config = run_config(state["config"])
        training = cls(config, train, validation, tokenizer, tokens_dir, device, should_stop)
        for name, value in training._data_names().items():
            if state[name] != value:
                raise ConfigError(f"{name} of a run must be those of its checkpoint, got others")
        best = {name: tensor for name, tensor in tensors.items() if name.startswith(_BEST)}
        training._learner.restore({n: tensor for n, tensor in tensors.items() if n not in best})
        training.best_weights = {n.removeprefix(_BEST): w.to(device) for n, w in best.items()} or None
        training.state = State(**state["state"])
        return training

    def save(self, folder: Path) -> None:
        """Leave in `folder` all that `resume` needs, in place of an older checkpoint; all or nothing."""
        best = {f"{_BEST}{name}": weight for name, weight in (self.best_weights or {}).items()}
        state = {
            "config": self.config.to_json(),
            "state": vars(self.state),
            **self._data_names(),
        }
        write_checkpoint(folder, state, {**self._learner.tensors(), **best})

    def extend(self, amount: float) -> None:
        """Make the budget `amount` in all, in its own unit; the optimiser goes on where it was.

        Raises ConfigError unless that is more than before.
        """
        budget = self.config.budget
        if amount <= budget.amount:
            raise ConfigError(f"budget.amount must be more than {budget.amount:g}, got {amount:g}")
        self.config = replace(self.config, budget=replace(budget, amount=amount))

    @property
    def weights(self) -> Weights:
        return slow_weights(self.model)

    @property
    def progress(self) -> float:
        """The share of the budget that is used, 0 to 1."""
        used = {
            "steps": self.state.step,
            "tokens": self.state.tokens,
            "minutes": self.state.seconds / 60,
        }[self.config.budget.unit]
        return min(1.0, used / self.config.budget.amount)

    @property
    def is_finished(self) -> bool:
        return self.progress >= 1.0 and not self.state.owes_validation

    def run(self, should_stop: ShouldStop = never) -> Iterator[Report]:
        """Train until the budget is used or `should_stop` says so: a Report an outer step.

        The first is step 0's, where meta-validation is made during training: what the run starts from. The
        flag is read between adaptation steps; an outer step that is cut off leaves no trace. Raises
        DivergedError, the state being that of the step before, when a loss is not finite.
        """
        if self.state.owes_validation and not should_stop():
            yield self._report((), {}, should_stop)
        while self.progress < 1.0 and not should_stop():
            try:
                watch = self._outer_step(should_stop)
            except Stopped:
                return
            yield self._report(watch.losses(), watch.scalars, should_stop)

    def _outer_step(self, should_stop: ShouldStop) -> Watch:
        begin = time.perf_counter()
        step = self.state.step + 1
        watch = Watch(step, self.tokenizer, should_stop)
        self._learner.begin(step, self.progress, self.config.seed)
        meta_step = RECIPES[self.config.algorithm.name].meta_step
        meta_step(self._learner, self._meta_batches.visits(step), self.config.algorithm, watch)
        self.state.step = step
        self.state.tokens += watch.tokens
        self.state.seconds += time.perf_counter() - begin
        every = self.config.validation.every
        is_due = self.progress >= 1.0 or (every > 0 and step % every == 0)
        self.state.owes_validation = is_due and bool(self._validation)
        return watch

    def _report(self, losses: tuple[Loss, ...], scalars: dict[str, float], should_stop: ShouldStop) -> Report:
        """The step's report, with the meta-validation that it owes unless a stop cuts that off."""
        is_best = False
        if self.state.owes_validation:
            try:
                measured = self._validate(should_stop)
            except Stopped:
                measured = ()
            is_best = self._judge(measured) if measured else False
            losses += measured
        return Report(
            step=self.state.step,
            tokens=self.state.tokens,
            seconds=self.state.seconds,
            losses=losses,
            scalars=scalars,
            progress=self.progress,
            is_best=is_best,
        )

    def _validate(self, should_stop: ShouldStop) -> tuple[Loss, ...]:
        begin = time.perf_counter()
        losses = validation_losses(
            self.model, self.weights, self.tokenizer, self._validation, self.config.adaptation, should_stop
        )
        self.state.seconds += time.perf_counter() - begin
        self.state.owes_validation = False
        return losses

    def _judge(self, losses: tuple[Loss, ...]) -> bool:
        """Keep the weights when these losses are the best so far."""
        value = mean_bits_per_byte(losses, self.config.adaptation.steps)
        best = self.state.best_value
        if not (value < (float("inf") if best is None else best)):  # NaN is never the best
            return False
        self.state.best_step, self.state.best_value = self.state.step, value
        self.best_weights = {name: weight.clone() for name, weight in self.weights.items()}
        return True

    def _data_names(self) -> dict[str, object]:
        """What a checkpoint must agree on with the data it is resumed with."""
        return {
            "tokenizer": self.tokenizer.hash,
            "meta-train tasks": self._meta_batches.task_ids,
            "meta-validation tasks": [task.task_id for task in self._validation],
        }
