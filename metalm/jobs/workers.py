"""The threads behind the queue: one worker a device slot, and one that feels the pulse of what runs.

None is a daemon: a daemon still in DuckDB when the interpreter ends aborts the process. They end because they
often look whether the manager is halting.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from metalm.jobs.listeners import Ended
from metalm.jobs.resources import ResourceMeter
from metalm.jobs.work import WORK, Running

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager

_PULSE_SECONDS = 2.0
_GIVES_WAY = 0.02  # seconds between two looks whether a demo still goes first


class Workers:
    """Starts the threads once, and joins them."""

    def __init__(self, manager: JobManager, home: Home, *, slots: Sequence[str] | None, threads: int) -> None:
        self._manager = manager
        self._home = home
        self._slots = slots
        self._torch_threads = threads
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def start(self) -> None:
        """Starts the threads, unless they are there."""
        if not self._threads:
            self._spawn("metalm-pulse", self._feel_pulse)
            self._spawn("metalm-worker", self._work_all_slots)

    def join(self) -> None:
        """Waits until all threads have ended; the manager is halting."""
        self._over.set()
        while self._threads:
            self._threads.pop().join()

    def _spawn(self, name: str, target, *args: str) -> None:
        thread = threading.Thread(target=target, args=args, name=name)
        self._threads.append(thread)
        thread.start()

    def _work_all_slots(self) -> None:
        """Finds out which slots there are, starts a worker for each but the last, and works that one."""
        # Here and not in `start`: torch takes seconds to load, and an app answers its first page meanwhile.
        from metalm.model.device import available
        from metalm.model.threads import use_threads

        use_threads(self._torch_threads)
        slots = self._slots or available()
        for slot in slots[:-1]:
            self._spawn(f"metalm-worker-{slot}", self._work, slots, slot)
        self._work(slots, slots[-1])

    def _work(self, slots: Sequence[str], slot: str) -> None:
        while (running := self._manager.take(slots, slot)) is not None:
            self._do(running, slot)

    def _do(self, running: Running, slot: str) -> None:
        """One job to its end, whatever the end is: the worker outlives it."""
        job, jobs = running.job, self._home.store.jobs

        def is_to_stop() -> bool:
            return running.stop_asked or self._manager.is_halting

        def should_stop() -> bool:
            while slot == "cpu" and not is_to_stop() and self._manager.demos.goes_first():
                time.sleep(_GIVES_WAY)
            return is_to_stop()

        try:
            ended = Ended(
                WORK[job.kind](
                    self._home,
                    running,
                    should_stop,
                    lambda item: self._manager.tell(running, item),
                )
            )
            jobs.end(job.id, ended.status)
        except Exception as error:  # noqa: BLE001 (the one broad except: no error of a job may end its worker)
            ended = Ended("failed", error)
            trace = "".join(traceback.format_exception(error))
            jobs.end(job.id, "failed", error=f"{type(error).__name__}: {error}", traceback=trace)
        self._manager.tell(running, ended)

    def _feel_pulse(self) -> None:
        """Every two seconds a heartbeat of each run in training, and what it costs the machine."""
        meter = ResourceMeter()
        while not self._over.wait(_PULSE_SECONDS) and not self._manager.is_halting:
            costs = meter.sample()
            for running in self._manager.under_way():
                if running.run_id is not None:
                    self._home.heartbeat(running.run_id)
                    if running.report is not None:
                        values = {**costs, **running.speed()}
                        self._home.add_scalars(running.run_id, running.report, values)
