"""The outer loop: a run from its first step to its last, one Report a step, able to stop and go on anywhere.

All randomness of outer step s follows from (seed, s) alone. So a run that is resumed draws what it would have
drawn, and a checkpoint holds no generator's state.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from metalm.config import RunConfig, run_config
from metalm.errors import ConfigError
from metalm.learn.algorithms import RECIPES, starting_learned
from metalm.learn.checkpoints import read_checkpoint, under, write_checkpoint
from metalm.learn.learner import LEARNED, Learner
from metalm.learn.measures import measures, speed
from metalm.learn.meta_batches import MetaBatches
from metalm.learn.prefetch import Ahead
from metalm.learn.reports import Loss, Report, Told
from metalm.learn.rules import Rule
from metalm.learn.state import State
from metalm.learn.stopping import ShouldStop, Stopped, never
from metalm.learn.validation import mean_bits_per_byte, validation_losses, validation_tasks
from metalm.learn.watch import Watch
from metalm.learn.windows import Visit
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import new_model
from metalm.model.weight_files import fitting
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer

_BEST, _START = "best/", "start/"


class Training:
    """One run under way. `start` or `resume` makes one; `run` trains; `save` keeps it.

    weights, learned: slow weights by name and what is learned beside them, on the device; best_weights and
    best_learned are those of the best meta-validation, None before there was one. Between two reports, and
    after `run` ended for whatever reason, the state is that of the last whole outer step.
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
        self.model = new_model(config.model, tokenizer.vocab_size, config.seed).to(device)
        learned = starting_learned(config, self.model)
        self._learner = Learner(self.model, config.algorithm, learned)
        self._start: Weights = {}
        self._best: dict[str, Tensor] | None = None  # under the names of `Learner.values`
        self._meta_batches = MetaBatches(config, train, tokenizer, tokens_dir, device, should_stop)
        asked = config.validation
        self._validation = validation_tasks(validation, asked.support_bytes, asked.query_bytes)
        self.state.owes_validation = asked.every > 0 and bool(self._validation)

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
        initial_learned: Weights | None = None,
    ) -> Training:
        """A run at step 0, from weights that follow from the seed or, for a warm start, `initial_weights`.

        initial_learned: what that run learned beside; what of it this run's algorithm learns too, in the same
        shape, goes on from there.

        train: at least one meta-train task, in the order in which `sequential` visits them. Raises SplitError
        when one is too short, ConfigError when the weights do not fit the model, Stopped while the tokens of
        the tasks are written.
        """
        training = cls(config, train, validation, tokenizer, tokens_dir, device, should_stop)
        if initial_weights is not None:
            weights = fitting(initial_weights, training.model, "the starting run")
            training._learner.start_from(weights, initial_learned or {})
        training._start = {name: weight.clone() for name, weight in training.weights.items()}
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
        training._learner.restore(tensors)
        training._start = under(_START, tensors, device)
        training._best = under(_BEST, tensors, device) or None
        training.state = State(**state["state"])
        return training

    def save(self, folder: Path) -> None:
        """Leave in `folder` all that `resume` needs, in place of an older checkpoint; all or nothing."""
        beside = {_START: self._start, _BEST: self._best or {}}
        tensors = {prefix + name: t for prefix, of in beside.items() for name, t in of.items()}
        state = {"config": self.config.to_json(), "state": vars(self.state), **self._data_names()}
        write_checkpoint(folder, state, {**self._learner.tensors(), **tensors})

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
    def learned(self) -> Weights:
        return self.rule.learned

    @property
    def rule(self) -> Rule:
        """How the run adapts as things stand."""
        return self._learner.rule(self.config.adaptation)

    @property
    def best_weights(self) -> Weights | None:
        best = self._best
        return None if best is None else {n: w for n, w in best.items() if not n.startswith(LEARNED)}

    @property
    def best_learned(self) -> Weights | None:
        return None if self._best is None else under(LEARNED, self._best)

    @property
    def progress(self) -> float:
        """The share of the budget that is used, 0 to 1."""
        return self.state.progress(self.config.budget)

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
            yield self._report(Told(), should_stop)
        with Ahead(self._meta_batches.visits) as visits:
            while self.progress < 1.0 and not should_stop():
                try:
                    told = self._outer_step(visits, should_stop)
                except Stopped:
                    return
                yield self._report(told, should_stop)

    def _outer_step(self, visits: Ahead[list[Visit]], should_stop: ShouldStop) -> Told:
        begin = time.perf_counter()
        step = self.state.step + 1
        watch = Watch(step, self.tokenizer, should_stop)
        self._learner.begin(step, self.progress, self.config.seed)
        meta_step = RECIPES[self.config.algorithm.name].meta_step
        meta_step(self._learner, visits.get(step), self.config.algorithm, watch)
        self.state.count(watch, self.model)
        losses, seconds = watch.losses(), time.perf_counter() - begin
        self.state.seconds += seconds
        every = self.config.validation.every
        is_due = self.progress >= 1.0 or (every > 0 and step % every == 0)
        self.state.owes_validation = is_due and bool(self._validation)
        return Told(losses, watch.scalars, (*watch.measures(), *speed(watch.tokens, seconds)))

    def _report(self, told: Told, should_stop: ShouldStop) -> Report:
        """The step's report, with the meta-validation that it owes unless a stop cuts that off."""
        is_best = False
        if self.state.owes_validation:
            try:
                measured = self._validate(should_stop)
            except Stopped:
                measured = Told()
            is_best = self._judge(measured.losses) if measured.losses else False
            told += measured
        state = self.state
        return Report(
            step=state.step,
            tokens=state.tokens,
            gradient_evaluations=state.gradient_evaluations,
            flops=state.flops,
            seconds=state.seconds,
            losses=told.losses,
            scalars=told.scalars,
            measures=told.measures,
            progress=self.progress,
            is_best=is_best,
        )

    def _validate(self, should_stop: ShouldStop) -> Told:
        begin = time.perf_counter()
        losses = validation_losses(
            self.model, self.weights, self.tokenizer, self._validation, self.rule, should_stop
        )
        told = Told(losses, measures=measures(self.weights, self._start, self.rule))
        self.state.seconds += time.perf_counter() - begin
        self.state.owes_validation = False
        return told

    def _judge(self, losses: tuple[Loss, ...]) -> bool:
        """Keep the weights when these losses are the best so far."""
        is_best = self.state.take_best(mean_bits_per_byte(losses, self.config.adaptation.steps))
        if is_best:
            self._best = {name: tensor.clone() for name, tensor in self._learner.values().items()}
        return is_best

    def _data_names(self) -> dict[str, object]:
        """What a checkpoint must agree on with the data it is resumed with."""
        return {
            "tokenizer": self.tokenizer.hash,
            "meta-train tasks": self._meta_batches.task_ids,
            "meta-validation tasks": [task.task_id for task in self._validation],
        }
