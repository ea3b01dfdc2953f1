"""What a job says while it runs, handed to whoever listens: any thread may speak, any thread may listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

# How long a listener waits before it looks whether anything will ever be said again.
_IDLE_SECONDS = 0.25


@dataclass(frozen=True)
class Ended:
    """The last thing that a job says. `error` is what its worker caught, None where it went well."""

    status: str
    error: BaseException | None = None


class Listener:
    """One ear at one job: `say` from the worker, `heard` by the one who follows."""

    def __init__(self) -> None:
        self._said: SimpleQueue[Any] = SimpleQueue()

    def say(self, item: Any) -> None:
        self._said.put(item)

    def heard(self, is_over: Callable[[], bool]) -> Iterator[Any]:
        """What was said, in order, up to and with `Ended`; None whenever nothing was said for a moment.

        Ends without `Ended` once `is_over()` and nothing is left to hear: the job will not run here.
        """
        while True:
            # Asked before the queue is read: what is said between the two is then heard, never lost.
            over = is_over()
            try:
                item = self._said.get(timeout=_IDLE_SECONDS)
            except Empty:
                if over:
                    return
                yield None
                continue
            yield item
            if isinstance(item, Ended):
                return


class Listeners:
    """All ears, by the id of the job that they listen to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_job: dict[str, list[Listener]] = {}

    def add(self, job_id: str, listener: Listener) -> None:
        with self._lock:
            self._by_job.setdefault(job_id, []).append(listener)

    def tell(self, job_id: str, item: Any) -> None:
        """Says `item` to all who listen to the job; `Ended` also sends them away."""
        with self._lock:
            ears = self._by_job.pop(job_id, []) if isinstance(item, Ended) else self._by_job.get(job_id, [])
            for listener in ears:
                listener.say(item)
