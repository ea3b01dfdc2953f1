"""Measurements of what runs would cost, made beside the queue: who sets up a run does not wait for another's.

One at a time, each in a thread; the latest results stay for as long as the process lives.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from metalm.config import Budget, RunConfig

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.learn.estimates import Estimate

MAX_KEPT = 32
_Key = tuple[str, str]


@dataclass
class Calibration:
    """A measurement that waits, runs or has ended. share: how much of it is done, 0 to 1.

    beside_work: something else ran in this process when it began, so that it is slower than it need be.
    """

    beside_work: bool = False
    share: float = 0.0
    stop_asked: bool = False
    outcome: Future[Estimate] | None = None

    @property
    def is_over(self) -> bool:
        """It has ended, well or not."""
        return self.outcome is not None and self.outcome.done()

    def heed(self, share: float) -> None:
        """Remembers how far it is."""
        self.share = share

    def wait(self, seconds: float) -> bool:
        """Waits so long at most; whether it is over."""
        assert self.outcome is not None, "a calibration is handed out with its future"
        return bool(wait([self.outcome], seconds).done)

    def estimate(self) -> Estimate:
        """What was measured: waits for it. Raises what went wrong, Stopped where it was cancelled."""
        assert self.outcome is not None, "a calibration is handed out with its future"
        return self.outcome.result()


class Calibrations:
    """The measurements of `home`. Any thread may call any method; `close` ends what is under way."""

    def __init__(
        self, home: Home, *, threads: int, is_halting: Callable[[], bool], is_busy: Callable[[], bool]
    ) -> None:
        self._home = home
        self._threads = threads
        self._is_halting = is_halting
        self._is_busy = is_busy
        self._kept: dict[_Key, Calibration] = {}
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="metalm-calibration")

    def find(self, config: RunConfig, split_ref: str) -> Calibration | None:
        """That of a config on a split, whatever its budget and seed; None where there is none."""
        with self._lock:
            return self._kept.get(self._key(config, split_ref))

    def begin(self, config: RunConfig, split_ref: str) -> Calibration:
        """Measures a config anew; what is under way is cancelled. NotFoundError without such a split."""
        key, calibration = self._key(config, split_ref), Calibration(beside_work=self._is_busy())
        with self._lock:
            self._cancel_all()
            self._kept[key] = calibration
            while len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            calibration.outcome = self._worker.submit(self._measure, calibration, config, split_ref)
        return calibration

    def cancel(self, calibration: Calibration) -> None:
        """Asks one to end, and forgets it."""
        with self._lock:
            calibration.stop_asked = True
            self._kept = {key: kept for key, kept in self._kept.items() if kept is not calibration}

    def close(self) -> None:
        """Ends what is under way, and waits for it."""
        with self._lock:
            self._cancel_all()
        self._worker.shutdown()

    def _cancel_all(self) -> None:
        for key, calibration in list(self._kept.items()):
            if not calibration.is_over:
                calibration.stop_asked = True
                del self._kept[key]

    def _measure(self, calibration: Calibration, config: RunConfig, split_ref: str) -> Estimate:
        # As in the queue's workers: here, since torch takes seconds to load.
        from metalm.model.threads import use_threads

        use_threads(self._threads)
        return self._home.estimate(
            config,
            split_ref,
            lambda: calibration.stop_asked or self._is_halting(),
            on_progress=calibration.heed,
        )

    def _key(self, config: RunConfig, split_ref: str) -> _Key:
        """What a measurement depends on: a step costs the same under any budget and seed."""
        every = replace(config.validation, every=0)
        same = replace(config, budget=Budget(), seed=0, validation=every)
        return self._home.split(split_ref).id, json.dumps(same.to_json(), sort_keys=True)
