"""What each kind of job does: one function a kind, from a job's payload to calls of the home."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.learn.reports import Report
    from metalm.store.jobs import Job

# Tokens per second are counted over the last reports, not since the start: a slow start would weigh for ever.
_RECENT_REPORTS = 20


@dataclass
class Running:
    """A job under way, and what is known about it while it is."""

    job: Job
    stop_asked: bool = False
    trains: str | None = None  # a study's run that is in training now
    report: Report | None = None
    recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_RECENT_REPORTS))

    @property
    def run_id(self) -> str | None:
        """The run that it trains; None for other work, and for a study between two runs."""
        return self.job.payload.get("run") or self.trains

    def begin(self, run_id: str | None) -> None:
        """Notes which run of a study it trains from now on."""
        self.trains, self.report = run_id, None
        self.recent.clear()

    def heed(self, report: Report) -> None:
        """Remembers where the training is."""
        self.report = report
        self.recent.append((report.tokens, report.seconds))

    def speed(self) -> dict[str, float]:
        """`tokens_per_second` of training over the last reports; nothing before there are two."""
        if len(self.recent) < 2:
            return {}
        (first_tokens, first_seconds), (tokens, seconds) = self.recent[0], self.recent[-1]
        if seconds <= first_seconds:
            return {}
        return {"tokens_per_second": (tokens - first_tokens) / (seconds - first_seconds)}


Say = Callable[[Any], None]
ShouldStop = Callable[[], bool]


def train(home: Home, running: Running, should_stop: ShouldStop, say: Say) -> str:
    """Trains the run of the payload from wherever it stands; says every Report. Gives the job's status."""

    def on_report(report: Report) -> None:
        running.heed(report)
        say(report)

    run = home.train(running.job.payload["run"], should_stop, on_report=on_report)
    return "finished" if run.status == "finished" else "cancelled"


def evaluate(home: Home, running: Running, should_stop: ShouldStop, say: Say) -> str:
    """Evaluates the runs of the payload; says every row."""
    options = {name: value for name, value in running.job.payload.items() if name not in ("runs", "device")}
    num_rows = count(1)

    def on_progress(share: float) -> None:
        home.store.jobs.progress(running.job.id, share, f"{next(num_rows)} scores")

    options |= {"on_progress": on_progress, "should_stop": should_stop}
    for row in home.evaluate(running.job.payload["runs"], **options):
        say(row)
    return "cancelled" if should_stop() else "finished"


def study(home: Home, running: Running, should_stop: ShouldStop, say: Say) -> str:
    """Carries out the study of the payload; says its lines: see `metalm.studies.carry_out`."""
    from metalm.studies.carry_out import Listening, carry_out

    def on_progress(share: float, words: str) -> None:
        home.store.jobs.progress(running.job.id, share, words)

    listening = Listening(
        say=say,
        on_progress=on_progress,
        on_run=lambda run: running.begin(run and run.id),
        on_report=running.heed,
    )
    done = carry_out(home, running.job.payload["study"], should_stop=should_stop, listening=listening)
    return "finished" if done else "cancelled"


WORK: dict[str, Callable[[Home, Running, ShouldStop, Say], str]] = {
    "training": train,
    "evaluation": evaluate,
    "study": study,
}
