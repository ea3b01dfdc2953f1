"""The queue of a home and its workers: what runs when, on which device slot, and how it is stopped.

The queue itself is the store's `jobs` table, so it outlives the process: what is queued when an app starts
goes on; what ran in a process that died waits for the user (its run is interrupted and can be resumed). What
a job does is in `work`, the threads are in `workers`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from metalm.errors import NotFoundError, RunStateError
from metalm.jobs.calibrations import Calibrations
from metalm.jobs.demos import Demos
from metalm.jobs.endings import Endings
from metalm.jobs.listeners import Ended, Listener, Listeners
from metalm.jobs.resources import all_cores, threads_beside_the_app
from metalm.jobs.work import Running
from metalm.jobs.workers import Workers

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.jobs import Job

# How often an idle worker looks whether it is to end.
_LOOK_SECONDS = 0.5


class JobManager:
    """Runs the jobs of `home`, one manager a home. Any thread may call any method; `close` waits for work.

    slots: device names that work side by side (default: all that this machine has).
    threads: torch threads of a worker (default: all cores but one).
    only_own: leave alone what other processes have queued; workers begin with the first job of this one.
    calibrations: measurements of what a run would cost, made beside the queue. demos: runs that adapt to a
    text before somebody's eyes, beside it as well. endings: jobs and demos that are over, for whoever tells.
    """

    def __init__(
        self,
        home: Home,
        *,
        slots: Sequence[str] | None = None,
        threads: int | None = None,
        only_own: bool = False,
    ) -> None:
        self._home = home
        self._listeners = Listeners()
        self._running: dict[str, Running] = {}
        self._changed = threading.Condition()
        self._submitted = 0  # jobs so far: what an idle worker sees grow
        self._own: set[str] | None = set() if only_own else None
        self._halting = False
        self.endings = Endings()
        # A demo is over in seconds, and somebody is waiting for it: it may take every core.
        demo_threads = threads or all_cores()
        threads = threads or threads_beside_the_app()
        self._workers = Workers(self, home, slots=slots, threads=threads)
        self.calibrations = Calibrations(
            home, threads=threads, is_halting=lambda: self.is_halting, is_busy=lambda: self.is_busy
        )
        self.demos = Demos(
            home,
            threads=demo_threads,
            is_halting=lambda: self.is_halting,
            endings=self.endings,
        )
        self._sweep()

    def start(self) -> None:
        """Lets the workers begin with what is queued."""
        self._workers.start()

    def _sweep(self) -> None:
        """Mends what a dead process left: jobs that nobody runs any more, and runs that no job will train."""
        jobs = self._home.store.jobs
        for job in jobs.with_status("running"):
            jobs.end(job.id, "interrupted")
        waiting = {job.payload.get("run") for job in jobs.queue()}
        for run in self._home.store.runs.with_status("queued"):
            if run.id not in waiting:
                self._home.unqueue_run(run.id)

    def halt(self) -> None:
        """Asks running work to end with a checkpoint, and lets nothing new begin. Queued jobs stay queued.

        It sets one flag and takes no lock, so that a signal handler may call it.
        """
        self._halting = True

    def close(self) -> None:
        """Halts, and waits until every worker has saved its work and ended.

        With `only_own`, what this process queued and did not begin is taken back: its user has left.
        """
        self.halt()
        with self._changed:
            self._changed.notify_all()
        self.calibrations.close()
        self.demos.close()
        self._workers.join()
        for job in self.queue():
            if self._own is not None and job.id in self._own:
                self.cancel(job.id)

    @property
    def is_halting(self) -> bool:
        """Nothing new begins any more: `halt` was called, or the interpreter is on its way out.

        An interpreter that ends joins its threads before it calls any exit hook; that its main thread is over
        is all that a worker can see of it.
        """
        return self._halting or not threading.main_thread().is_alive()

    @property
    def is_busy(self) -> bool:
        """Something runs right now."""
        return bool(self._running)

    # What joins the queue.

    def train(self, run_id: str, *, listener: Listener | None = None, detached: bool = False) -> Job:
        """Queues a run whose status is queued. `detached`: for whichever process starts its workers next."""
        run = self._home.run(run_id)
        payload = {"run": run.id, "device": run.config["device"]}
        return self._submit("training", payload, listener, detached=detached)

    def resume(self, run_id: str, *, listener: Listener | None = None, detached: bool = False) -> Job:
        """Queues a stopped, failed or interrupted run, from its last checkpoint. Else RunStateError."""
        self._home.requeue_run(run_id)
        return self.train(run_id, listener=listener, detached=detached)

    def extend(
        self, run_id: str, amount: float, *, listener: Listener | None = None, detached: bool = False
    ) -> Job:
        """Queues a run that has ended for `amount` more, in the unit of its budget. Else RunStateError."""
        self._home.extend_run(run_id, amount)
        return self.train(run_id, listener=listener, detached=detached)

    def evaluate(self, run_ids: Sequence[str], *, listener: Listener | None = None, **options: Any) -> Job:
        """Queues the evaluation of runs; `options` are those of `Home.evaluate`, as JSON data."""
        return self._submit("evaluation", {"runs": list(run_ids), "device": "auto", **options}, listener)

    def study(self, study_id: str, *, listener: Listener | None = None, detached: bool = False) -> Job:
        """Queues a study, from wherever it stands. RunStateError when it is in the queue or runs already."""
        study = self._home.store.studies.get(study_id)
        with self._changed:
            if self.study_job(study_id) is not None:
                raise RunStateError(f"study {study.name!r} must not run or wait already to be queued")
            return self._submit(
                "study", {"study": study.id, "device": _device(study.settings)}, listener, detached=detached
            )

    def study_job(self, study_id: str) -> Job | None:
        """The job that carries a study out or waits to; None when there is none."""
        jobs = (*self.running(), *self.queue())
        return next((job for job in jobs if job.payload.get("study") == study_id), None)

    def _submit(
        self, kind: str, payload: dict[str, Any], listener: Listener | None, *, detached: bool = False
    ) -> Job:
        with self._changed:
            # No worker takes the job before this block ends, so the listener misses nothing.
            job = self._home.store.jobs.add(kind, payload, run_id=payload.get("run"))
            if listener is not None:
                self._listeners.add(job.id, listener)
            if self._own is not None and not detached:
                self._own.add(job.id)
                self._workers.start()
            self._submitted += 1
            self._changed.notify_all()
        return job

    # What is in it.

    def queue(self) -> list[Job]:
        """What waits, the next one first."""
        return self._home.store.jobs.queue()

    def running(self) -> list[Job]:
        """What runs in this process."""
        return [running.job for running in self.under_way()]

    def recent(self, limit: int = 50) -> list[Job]:
        """What has ended, the latest first."""
        return self._home.store.jobs.recent(limit)

    def heard(self, job: Job, listener: Listener) -> Iterator[Any]:
        """All that the job says, None for signs of life, until it ends or this process will not run it."""
        return listener.heard(lambda: self.is_halting and job.id not in self._running)

    # What is done to it.

    def move(self, job_id: str, position: int) -> None:
        """Gives a queued job another place: 0 is the next to run. NotFoundError when it does not wait."""
        with self._changed:
            self._home.store.jobs.move(self._queued(job_id).id, position)

    def cancel(self, job_id: str) -> None:
        """Takes a job off the queue, or asks it to stop when it runs. NotFoundError when it does neither."""
        with self._changed:
            if job_id in self._running:
                self._running[job_id].stop_asked = True
                return
            job = self._queued(job_id)
            self._home.store.jobs.end(job.id, "cancelled")
            if job.kind == "training":
                self._home.unqueue_run(job.payload["run"])
        self._listeners.tell(job.id, Ended("cancelled"))

    def stop(self, run_id: str) -> None:
        """Asks a running run to stop with a checkpoint, or takes a queued one off the queue. No waiting.

        A run that a study trains stops with its study.
        """
        run = self._home.run(run_id)
        under_way = [running.job for running in self.under_way() if running.run_id == run.id]
        for job in [*under_way, *self.queue()]:
            if job in under_way or job.payload.get("run") == run.id:
                self.cancel(job.id)
                return
        raise RunStateError(f"run {run.name!r} must be queued or running to be stopped, got {run.status}")

    def _queued(self, job_id: str) -> Job:
        for job in self.queue():
            if job.id == job_id:
                return job
        raise NotFoundError(f"no job {job_id!r} in the queue")

    # What the workers ask and tell.

    def take(self, slots: Sequence[str], slot: str) -> Running | None:
        """The next job for `slot`, now running: waits for one. None when nothing new is to begin."""
        with self._changed:
            while not self.is_halting:
                seen = self._submitted
                for job in self.queue():
                    is_ours = self._own is None or job.id in self._own
                    if is_ours and _slot_of(job, slots) == slot and self._home.store.jobs.start(job.id):
                        self._running[job.id] = Running(job)
                        return self._running[job.id]
                # Jobs come in by `_submit` only, which counts: a wait that is told as its time is up says
                # that it was not. An interpreter that ends tells nobody.
                while seen == self._submitted and not self.is_halting:
                    self._changed.wait(_LOOK_SECONDS)
        return None

    def tell(self, running: Running, item: Any) -> None:
        """Passes on what a job says; `Ended` also takes it off what runs."""
        if isinstance(item, Ended):
            with self._changed:
                del self._running[running.job.id]
            job, error = running.job, "" if item.error is None else str(item.error)
            self.endings.add(job.kind, item.status, _subjects(job), error=error)
        self._listeners.tell(running.job.id, item)

    def under_way(self) -> list[Running]:
        """The work that runs in this process."""
        with self._changed:
            return list(self._running.values())


def _subjects(job: Job) -> list[str]:
    """What a job is about: its run, its runs, or its study."""
    one = job.payload.get("run") or job.payload.get("study")
    return [one] if one else list(job.payload["runs"])


def _device(settings: Mapping[str, Any]) -> str:
    """Where the runs of a study are trained."""
    return settings.get("device", "auto")


def _slot_of(job: Job, slots: Sequence[str]) -> str:
    device = job.payload["device"]
    if device in slots:
        return device
    # `auto` is the first device there is; one that is not here fails on the last, with a message of its own.
    return slots[0] if device == "auto" else slots[-1]
