"""A study from its plan to its report: runs, then evaluations, then the pages. It can be stopped anywhere.

Whatever is there already is not made again: a finished run of the study, a row of the store. So carrying out
a study that was stopped goes on where it was, and one that is done only writes its report anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalm.config import run_config
from metalm.errors import DivergedError, RunStateError
from metalm.learn.stopping import ShouldStop, never
from metalm.store.runs import Run
from metalm.studies.evidence import rows_of
from metalm.studies.kinds import study_of
from metalm.studies.plan import DIVERGED, has_diverged
from metalm.studies.report import write

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.learn.reports import Report as TrainingReport
    from metalm.store.studies import Study as Stored
    from metalm.studies.plan import Asked, Planned, Study

Line = dict[str, Any]


def _unheard(*_: Any) -> None:
    """Nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Who hears what goes on.

    say: a line an event, `event` being training, trained, evaluating, or reported. on_progress: the share
    done, 0 to 1, and in words what is done. on_run: the run that trains from now on, None for none.
    """

    say: Callable[[Line], None] = _unheard
    on_progress: Callable[[float, str], None] = _unheard
    on_run: Callable[[Run | None], None] = _unheard
    on_report: Callable[[TrainingReport], None] = _unheard


UNHEARD = Listening()


def carry_out(
    home: Home, study_id: str, *, should_stop: ShouldStop = never, listening: Listening = UNHEARD
) -> bool:
    """Carries a study out in the calling thread; false when it was stopped before its report.

    Raises what training and evaluation raise; carried out again it tries again.
    """
    stored = home.store.studies.get(study_id)
    work = _Work(home, stored, study_of(stored), should_stop, listening)
    return work.train() and work.evaluate() and work.report()


def finished_runs(home: Home, study_id: str) -> dict[str, Run]:
    """The runs of a study that are finished, by key."""
    runs = {key: home.store.runs.get(run_id) for key, run_id in home.store.studies.runs(study_id).items()}
    return {key: run for key, run in runs.items() if run.status == "finished"}


def ended_runs(home: Home, study_id: str) -> dict[str, Run]:
    """The same, and those that may diverge and did: they are not trained again."""
    runs = {key: home.store.runs.get(run_id) for key, run_id in home.store.studies.runs(study_id).items()}
    return {key: run for key, run in runs.items() if run.status == "finished" or has_diverged(run)}


def write_report(home: Home, study_id: str) -> Path:
    """Writes the report of a study from what is in the store, and gives its folder.

    Raises RunStateError when runs are still to be trained.
    """
    stored = home.store.studies.get(study_id)
    study, runs = study_of(stored), ended_runs(home, study_id)
    planned = study.runs(home, runs)
    missing = [each.key for each in planned if each.key not in runs]
    if missing:
        raise RunStateError(
            f"study {stored.name!r} must have all its runs to report on them, {missing[0]!r} is to be trained"
        )
    series = {each.key: each.series for each in planned}
    rows = rows_of(home, study.evaluations(home, runs), runs, series)
    report = replace(study.report(home, rows, runs), settings=study.to_json())
    return write(report, home.study_dir(study_id))


@dataclass
class _Work:
    """One carrying out of a study."""

    home: Home
    stored: Stored
    study: Study
    should_stop: ShouldStop
    hear: Listening
    units: int = 1  # runs and evaluations in all, as far as is known
    done: int = 0

    def train(self) -> bool:
        """Trains what is planned and not yet trained; false when it was stopped."""
        self.study.prepare(self.home)
        while (planned := self._next()) is not None:
            if self.should_stop() or not self._train(planned):
                return False
        return True

    def _next(self) -> Planned | None:
        ended = ended_runs(self.home, self.stored.id)
        planned = self.study.runs(self.home, ended)
        self.units = self.study.num_runs(self.home, ended) + 1
        self.done = sum(each.key in ended for each in planned)
        return next((each for each in planned if each.key not in ended), None)

    def _train(self, planned: Planned) -> bool:
        """Trains one run, from its checkpoint if it has one; false when it was stopped."""
        run = self._run(planned)
        line = {"key": planned.key, "run": run.id, "name": run.name, "number": self.done + 1}
        self.hear.say({"event": "training", **line, "of": self.units - 1})
        self.hear.on_run(run)

        def on_report(report: TrainingReport) -> None:
            self._progress(report.progress, f"trains {run.name}")
            self.hear.on_report(report)

        self._progress(0.0, f"trains {run.name}")
        try:
            run = self.home.train(run.id, self.should_stop, on_report=on_report)
        except DivergedError:
            if not planned.may_diverge:
                raise
            self.home.set_tags(run.id, [*run.tags, DIVERGED])
            run = self.home.run(run.id)
        finally:
            self.hear.on_run(None)
        if run.status == "stopped":
            return False
        self.hear.say({"event": "trained", **line, "status": run.status, "bits_per_byte": run.best_value})
        return True

    def _run(self, planned: Planned) -> Run:
        """The run of the study that was begun under this key, or a new one."""
        begun = self.home.store.studies.runs(self.stored.id)
        if planned.key in begun:
            return self.home.store.runs.get(begun[planned.key])
        name = f"{self.stored.name}: {planned.key}"
        if planned.twin_of is not None:
            run = self.home.create_twin(begun[planned.twin_of], name=name)
        else:
            run = self._new_run(planned, begun[planned.init] if planned.init else None, name)
        self.home.store.studies.add_run(self.stored.id, planned.key, run.id)
        return run

    def _new_run(self, planned: Planned, init: str | None, name: str) -> Run:
        parent = run_config(self.home.store.runs.get(init).config) if init else None
        config = replace(planned.config(parent), init=init)
        return self.home.create_run(config, planned.split, name=name, tags=["study"])

    def evaluate(self) -> bool:
        """Asks for every row that is missing; false when it was stopped."""
        runs = ended_runs(self.home, self.stored.id)
        asked = self.study.evaluations(self.home, runs)
        self.units, self.done = len(runs) + len(asked), len(runs)
        for each in asked:
            self.hear.say({"event": "evaluating", "name": each.name, "runs": len(each.keys)})
            self._evaluate(each, runs)
            if self.should_stop():
                return False
            self.done += 1
        return True

    def _evaluate(self, asked: Asked, runs: dict[str, Run]) -> None:
        rows = self.home.evaluate(
            [runs[key].id for key in asked.keys],
            **asked.options(),
            on_progress=lambda share: self._progress(share, f"evaluates {asked.name}"),
            should_stop=self.should_stop,
        )
        for _ in rows:  # the home keeps them
            pass

    def report(self) -> bool:
        """Writes the report."""
        folder = write_report(self.home, self.stored.id)
        self.hear.say({"event": "reported", "study": self.stored.id, "directory": str(folder)})
        return True

    def _progress(self, share: float, words: str) -> None:
        self.hear.on_progress(min(1.0, (self.done + share) / self.units), words)
