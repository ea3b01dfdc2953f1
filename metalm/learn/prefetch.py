"""The next outer step's data, read while this one is computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Data = TypeVar("Data")


class Ahead(Generic[Data]):
    """`of(step)` for steps that are asked for in a row, each made by one background thread while its
    predecessor is in use. A context manager: on leaving, the thread has ended.

    of: a pure function of the step; it runs in that thread, and what it raises is raised where its step is
    asked for. Nothing else may use what it uses meanwhile.
    """

    def __init__(self, of: Callable[[int], Data]) -> None:
        self._of = of
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metalm-data")
        self._next: tuple[int, Future[Data]] | None = None

    def __enter__(self) -> Ahead[Data]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def get(self, step: int) -> Data:
        """The data of a step; that of the next is begun."""
        if self._next is not None and self._next[0] == step:
            future = self._next[1]
        else:
            future = self._thread.submit(self._of, step)
        self._next = step + 1, self._thread.submit(self._of, step + 1)
        return future.result()
