"""Sides measured together: every worker stays alive, and they take turns, so that noise hits all alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from contest.works import LIBRARIES, LIMIT, OURS, Work
from metalm.jobs.resources import SOON_ASLEEP

# OpenMP's threads spin on for milliseconds after their last work, on cores that the next in turn needs.
_PAUSE = 0.1
# A turn is as many repetitions, the same of each side, as fill this time at least: after a pause the second
# core of a virtual machine takes tens of milliseconds to come, as long as some of the works take in all.
_TURN_SECONDS = 0.4
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Terms:
    """How the workers run. reps: turns of each side. peers_python: the interpreter of the libraries."""

    threads: int = 2
    reps: int = 5
    peers_python: str = sys.executable


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Medians over turns of the means of their repetitions; absent says that there is none, and why.

    result: by name, of the last repetition.
    memory_mb: the peak; start_mb: what it was before the first repetition, most of it torch itself. about_s:
    how long one took when it was not yet measured.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    first_s: float = 0.0
    memory_mb: float = 0.0
    start_mb: float = 0.0
    about_s: float = 0.0
    device: str = ""
    absent: str = ""
    why: str = ""
    result: Mapping[str, np.ndarray] = field(default_factory=dict)


class Worker:
    """A process at work for one side."""

    def __init__(self, who: str, work: Work, terms: Terms) -> None:
        threads = str(terms.threads)
        paths = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT)])
        environment = {"PYTHONPATH": paths, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if who == OURS:  # as metalm's own entry points have it; it would slow the others
            environment |= SOON_ASLEEP
        self._process = subprocess.Popen(
            [terms.peers_python if who in LIBRARIES else sys.executable, "-m", "contest.worker"],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.who = who
        self._times: list[dict[str, float]] = []
        self._greeting = self._ask(json.dumps({"who": who, "work": asdict(work), "threads": terms.threads}))

    @property
    def is_there(self) -> bool:
        return "absent" not in self._greeting

    @property
    def about_s(self) -> float:
        return self._greeting["about_s"]

    def take_turn(self, repetitions: int) -> None:
        time.sleep(_PAUSE)
        self._times.append(self._ask(str(repetitions)))

    def measured(self) -> Measured:
        if not self.is_there:
            return Measured(**self._greeting)
        end = self._ask("result")
        with np.load(end["result"]) as arrays:
            result = dict(arrays)
        Path(end["result"]).unlink()
        medians = {name: statistics.median(time[name] for time in self._times) for name in self._times[0]}
        return Measured(**medians, **self._greeting, memory_mb=end["memory_mb"], result=result)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _ask(self, order: str) -> dict:
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the worker of {self.who!r} ended with exit code {self._process.wait()}")
        return json.loads(answer)


def measure(sides: Mapping[str, tuple[str, Work]], terms: Terms) -> dict[str, Measured]:
    """Each side, (who, work) by a name, measured in turns with the others."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_open(who, work, terms)) for name, (who, work) in sides.items()}
        there = [worker for worker in workers.values() if worker.is_there]
        # Both sides do the same; what only measures the machine is no side.
        fastest = min((worker.about_s for worker in there if worker.who != LIMIT), default=1.0)
        for _ in range(terms.reps):
            for worker in there:
                about_s = worker.about_s if worker.who == LIMIT else fastest
                worker.take_turn(max(1, round(_TURN_SECONDS / about_s)))
        return {name: worker.measured() for name, worker in workers.items()}


@contextmanager
def _open(who: str, work: Work, terms: Terms) -> Iterator[Worker]:
    worker = Worker(who, work, terms)
    try:
        yield worker
    finally:
        worker.close()


def difference(ours: Measured, peer: Measured) -> float | None:
    """How far apart the results are, relative to the peer's, all arrays taken as one; None without any.

    A name that one side lacks counts in full.
    """
    names = ours.result.keys() | peer.result.keys()
    if not names:
        return None
    apart = squares = 0.0
    for name in names:
        theirs = np.asarray(peer.result.get(name, 0.0), dtype=np.float64)
        apart += float(np.square(np.asarray(ours.result.get(name, 0.0), dtype=np.float64) - theirs).sum())
        squares += float(np.square(theirs).sum())
    return float(np.sqrt(apart / squares))
