"""Training joined to the store: reports become points, checkpoints files, the outcome a status."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalm import units
from metalm.config import run_config
from metalm.errors import MetalmError
from metalm.home.bundle_json import RUN_FILE, description, write_json
from metalm.home.kept import Kept, judged
from metalm.home.lineage import seen_tasks
from metalm.home.owner import this_process
from metalm.home.runs import RESUMABLE
from metalm.learn.reports import Loss, Report
from metalm.learn.stopping import ShouldStop, Stopped, never, stop_if
from metalm.store.metrics import COUNTS, Point
from metalm.store.runs import Run, RunStatus
from metalm.text import tokenizers
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from metalm.learn.outer import Training

CHECKPOINT_SECONDS = 30.0
FIRST_CHECKPOINT_SECONDS = 5.0  # a run that is killed early has something to go on from too

IDLE: tuple[RunStatus, ...] = ("queued", *RESUMABLE)

OnReport = Callable[[Report], None]


class Trainings(Kept):
    """The part of a home that trains."""

    def train(self, ref: str, should_stop: ShouldStop = never, *, on_report: OnReport | None = None) -> Run:
        """Trains a run in the calling thread, from where it stands, and gives it back finished or stopped.

        A queued run begins, or goes on from its checkpoint if it has one; so does a stopped, failed or
        interrupted one. What goes wrong is stored with the run, which becomes failed, and is raised. Raises
        RunStateError when the run is running or finished.
        """
        run = self.run(ref)
        run_log = RunLog(self.log_path(run.id))
        with self._outcome(run, run_log, expected=IDLE):
            checkpoint = self._checkpoint_place(run)
        self.store.runs.start(run.id, **checkpoint)
        with self._outcome(run, run_log, expected=["running"]):
            run_log.write("training starts" if run.started_at is None else "training goes on")
            run = self.store.runs.get(run.id)  # from now on it has begun
            finished = self._train(run, run_log, should_stop, on_report or _ignore)
            self.store.runs.set_status(run.id, "finished" if finished else "stopped", expected=["running"])
        if self.store.runs.get(run.id).tokenizer:  # not when it was stopped before there was one
            self.describe_run(run.id)
        run_log.write("finished" if finished else "stopped; it can be resumed")
        return self.store.runs.get(run.id)

    def describe_run(self, run_id: str) -> None:
        """Writes run.json beside the weights: the run can be read without a database."""
        run = self.store.runs.get(run_id)
        tokenizer = self.store.tokenizers.get(run.tokenizer)
        split = self.store.splits.get(run.split_id)
        told = description(run, split, tokenizer, self.store.runs.summary(run.id))
        write_json(self.run_dir(run_id) / RUN_FILE, told)

    def _checkpoint_place(self, run: Run) -> dict[str, Any]:
        """Where the run goes on, and who does it. Raises RunStateError when its checkpoint is damaged."""
        from metalm.learn.checkpoints import read_checkpoint

        step, owes_validation = -1, False
        if self.has_checkpoint(run.id):
            state = read_checkpoint(self.checkpoint_dir(run.id))[0]["state"]
            step, owes_validation = state["step"], state["owes_validation"]
        owner = this_process("training")
        device = run.config["device"]
        return {
            "step": step,
            "owes_validation": owes_validation,
            "device": device,
            "pid": owner.pid,
            "boot_id": owner.boot_id,
        }

    @contextmanager
    def _outcome(self, run: Run, run_log: RunLog, *, expected: Collection[RunStatus]) -> Iterator[None]:
        """Stores with the run what goes wrong inside, and lets it go on up."""
        try:
            yield
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            message = str(error) if isinstance(error, MetalmError) else f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()
            run_log.write(f"{status}: {message}\n{trace}")
            self.store.runs.set_status(run.id, status, expected=expected, error=message, traceback=trace)
            raise

    def _train(self, run: Run, run_log: RunLog, should_stop: ShouldStop, on_report: OnReport) -> bool:
        """The work; true when the run is finished, false when it was stopped on the way."""
        try:
            tokenizer = self._tokenizer_of(run, should_stop)
            training = self._training(run, tokenizer, should_stop)
        except Stopped:
            return False
        self._place(run.id, training)
        self.store.runs.set_device(run.id, training.weights["embedding.weight"].device.type)
        run_log.write(f"on {training.weights['embedding.weight'].device}, from step {training.state.step}")
        due = time.monotonic() + min(FIRST_CHECKPOINT_SECONDS, CHECKPOINT_SECONDS)
        try:
            for report in training.run(should_stop):
                self._keep(run, training, report, run_log)
                on_report(report)
                if time.monotonic() > due:
                    self._save(run, training, run_log)
                    due = time.monotonic() + CHECKPOINT_SECONDS
        finally:
            # Whatever ended it: the state is that of the last whole step, and a resumed run needs it.
            self._save(run, training, run_log)
        self.keep(run, training)
        self._summarise(run.id, training)
        if not training.is_finished:
            return False
        return self._tune(run, training, run_log, should_stop)

    def _tokenizer_of(self, run: Run, should_stop: ShouldStop) -> Tokenizer:
        if run.tokenizer:
            return self.store.tokenizers.get(run.tokenizer)
        asked, texts = run_config(run.config).tokenizer, self.texts(run.split_id, "meta-train")
        tokenizer = tokenizers.fit(asked, texts, on_wait=partial(stop_if, should_stop))
        self.store.tokenizers.add(tokenizer)
        self.store.runs.set_tokenizer(run.id, tokenizer.hash)
        return tokenizer

    def _training(self, run: Run, tokenizer: Tokenizer, should_stop: ShouldStop) -> Training:
        """The run at its checkpoint, or at its start."""
        from metalm.learn.outer import Training
        from metalm.model.device import pick_device

        config = run_config(run.config)
        texts = self.texts(run.split_id, "meta-train"), self._validation_texts(run)
        data = *texts, tokenizer, self.tokens_dir, pick_device(config.device)
        if self.has_checkpoint(run.id):
            training = Training.resume(self.checkpoint_dir(run.id), *data, should_stop=should_stop)
            if config.budget.amount > training.config.budget.amount:
                training.extend(config.budget.amount)
            return training
        return Training.start(config, *data, **self.start_of(run), should_stop=should_stop)

    def _validation_texts(self, run: Run) -> list[TaskText]:
        """The meta-validation texts that neither the run nor an ancestor was trained on.

        A parent may have been trained on others of them, by another split; they would choose what remembers.
        """
        split = self.store.splits.get(run.split_id)
        seen = seen_tasks(run, split, "meta-validation", self.hash_of)
        return [text for text in self.texts(split.id, "meta-validation") if text.task.id not in seen]

    def _place(self, run_id: str, training: Training) -> None:
        """Writes down where the run is: what a killed process wrote past the checkpoint is no longer so."""
        state = training.state
        place = {"step": state.step, "tokens": state.tokens, "seconds": state.seconds}
        self.store.runs.progress(run_id, **place, progress=training.progress)
        self.store.runs.set_best(run_id, state.best_step, state.best_value)

    def _keep(self, run: Run, training: Training, report: Report, run_log: RunLog) -> None:
        """A report's points, and what the runs table shows of it."""
        clock = (datetime.now(UTC) - run.started_at).total_seconds()
        self.store.metrics.add(run.id, _points(report, clock))
        place = {"step": report.step, "tokens": report.tokens, "seconds": report.seconds}
        self.store.runs.progress(run.id, **place, progress=report.progress)
        if any(loss.part == "validation" for loss in report.losses):
            run_log.write(
                f"step {report.step}: meta-validation measured" + ", the best so far" * report.is_best
            )
        if report.is_best:
            self.store.runs.set_best(run.id, training.state.best_step, training.state.best_value)
            self._summarise(run.id, training)

    def _summarise(self, run_id: str, training: Training) -> None:
        """The figures of the runs table, from the points of the best step."""
        self.store.flush()
        state, means = training.state, {}
        if state.best_step is not None:
            curve = self.store.metrics.adaptation_curve(
                [run_id], "validation", step=state.best_step, by_task=True
            )
            value = units.bits_per_byte(curve["nats"], curve["bytes"])
            means = value.groupby(curve["adaptation_step"]).mean().to_dict()
        self.store.runs.summarise(
            run_id,
            # A model that gives a byte no chance at all has no figure that JSON could hold.
            bits_per_byte_before=means[0] if math.isfinite(means.get(0, math.nan)) else None,
            bits_per_byte_after=state.best_value,
            tokens_per_second=state.tokens / state.seconds if state.seconds else None,
        )

    def _save(self, run: Run, training: Training, run_log: RunLog) -> None:
        # Points first: a checkpoint whose points are not on disk would leave a hole in the curves.
        self.store.flush()
        training.save(self.checkpoint_dir(run.id))
        run_log.write(f"step {training.state.step}: checkpoint saved")

    def _tune(self, run: Run, training: Training, run_log: RunLog, should_stop: ShouldStop) -> bool:
        """Finds how the run adapts; false when it was stopped on the way."""
        from metalm.learn.rules import Rule
        from metalm.learn.tuning import tune

        weights, learned, _ = judged(training)
        run_log.write("tuning adaptation on meta-validation")
        try:
            adaptation = tune(
                training.model,
                weights,
                training.tokenizer,
                self._validation_texts(run),
                Rule(training.config.adaptation, learned),
                should_stop=should_stop,
            )
        except Stopped:
            return False
        self.store.runs.set_adaptation(run.id, adaptation.to_json())
        run_log.write(f"adapts best with {adaptation.inner.steps} steps of {adaptation.inner.lr:g}")
        return True


def _ignore(_report: Report) -> None:
    """Nobody listens."""


def _points(report: Report, clock_seconds: float) -> list[Point]:
    """A report as the rows of `metrics`. clock_seconds: since the run first began, pauses included."""
    place = report.step, report.tokens, report.seconds
    spent = {
        "gradient_evaluations": float(report.gradient_evaluations),
        "flops": report.flops,
        "clock_seconds": clock_seconds,
    }
    scalars = [Point(*place, name, None, None, value) for name, value in {**report.scalars, **spent}.items()]
    scalars += [Point(*place, m.name, m.task_id, m.adaptation_step, m.value) for m in report.measures]
    return scalars + [point for loss in report.losses for point in _loss_points(place, loss)]


def _loss_points(place: tuple[int, int, float], loss: Loss) -> list[Point]:
    step = loss.adaptation_step
    return [
        Point(*place, f"{loss.part}_{count}", loss.task_id, step, float(getattr(loss, count)))
        for count in COUNTS
    ]


class RunLog:
    """What a training says, a line at a time, each with its time (UTC)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, message: str) -> None:
        """Adds a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {message}\n")
