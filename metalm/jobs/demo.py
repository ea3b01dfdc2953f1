"""A live demo: what was asked of it, how far each run is, and what it has shown so far.

Written by the thread that makes it (`demos`), read by whoever watches.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING

from metalm.errors import MetalmError
from metalm.store.adaptations import Sample
from metalm.store.values import new_id

if TYPE_CHECKING:
    from metalm.evaluate.guesses import Guesses
    from metalm.evaluate.live import LiveStep

MAX_RUNS = 4


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How a run writes after the support set: `num_bytes` 0 writes nothing."""

    num_bytes: int = 300
    temperature: float = 0.8
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class DemoRequest:
    """A text in two parts, which runs adapt to it, and how. steps, lr: None is what each run tuned."""

    name: str
    support: bytes
    query: bytes
    runs: tuple[str, ...]
    steps: int | None = None
    lr: float | None = None
    writing: Writing = field(default_factory=Writing)


@dataclass(eq=False)
class Part:
    """One run's way through a demo, so far. total: its steps. written: texts by step. error: why it ended."""

    run_id: str
    record_id: str = field(default_factory=new_id)
    total: int | None = None
    steps: list[LiveStep] = field(default_factory=list)
    guesses: dict[int, Guesses] = field(default_factory=dict)
    written: dict[int, str] = field(default_factory=dict)
    is_saved: bool = False
    error: str = ""
    times: tuple[float, float] = (0.0, 0.0)  # by the clock: of step 0, and of the last step so far

    def heed(self, step: LiveStep, now: float | None = None) -> None:
        """One more step; of the weights only the first and the last are kept. now: of a monotonic clock."""
        now = time.monotonic() if now is None else now
        self.times = (self.times[0] if self.steps else now, now)
        if len(self.steps) > 1:
            self.steps[-1] = replace(self.steps[-1], weights={})
        self.steps.append(step)

    @property
    def seconds_left(self) -> float | None:
        """By the clock, the turns of the other runs included; None before it can be told, and at the end."""
        done = len(self.steps) - 1
        if self.total is None or not 1 <= done < self.total:
            return None
        return (self.times[1] - self.times[0]) / done * (self.total - done)

    def release(self) -> None:
        """Lets go of the weights, which are megabytes."""
        self.steps = [replace(step, weights={}) for step in self.steps]

    def ends(self) -> list[LiveStep]:
        """Before its first step, and after the last so far."""
        return self.steps[:1] + self.steps[1:][-1:]


@dataclass(eq=False)
class Demo:
    """What was asked, and what came of it so far. doing: in words, for who watches. began: it made a step."""

    asked: DemoRequest
    parts: tuple[Part, ...]
    doing: str = "waits for another demo"
    stop_asked: bool = False
    began: Event = field(default_factory=Event)
    outcome: Future[None] | None = None
    at: float = field(default_factory=time.monotonic)  # when it was asked for

    @property
    def is_over(self) -> bool:
        """All that will be saved is."""
        return self.outcome is not None and self.outcome.done()

    @property
    def status(self) -> str:
        """How it ended: failed when no run came through, cancelled when it was told to stop."""
        if all(part.error for part in self.parts):
            return "failed"
        return "cancelled" if self.stop_asked else "finished"

    def stop(self) -> None:
        """Asks it to end; the steps that were made are saved."""
        self.stop_asked = True

    def wait(self) -> None:
        """Until it is over. Raises what went wrong, if that was nobody's to mend."""
        assert self.outcome is not None, "a demo is handed out with its future"
        self.outcome.result()


class errors_of:  # noqa: N801 (it reads like `suppress`)
    """What goes wrong with one run is that run's, and the others go on."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, MetalmError):
            self._part.error = str(error)
            return True
        return False


def samples_of(part: Part, writing: Writing) -> list[Sample]:
    """What a run has written so far, as it will be saved."""
    return [
        Sample(
            run=part.run_id,
            adaptation_step=step,
            prompt="",
            text=text,
            temperature=writing.temperature,
            top_p=writing.top_p,
            seed=writing.seed,
        )
        for step, text in list(part.written.items())  # the demo's thread adds to it
    ]
