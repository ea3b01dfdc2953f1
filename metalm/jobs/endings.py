"""What has ended since the process began, numbered, and who was told: for news on whatever page is open."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_KEPT = 100  # endings; who was away for longer has missed the older ones
_MAX_READERS = 1000


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One job or demo that is over. subjects: ids of its runs, its study, or the records that a demo left.

    status: finished, cancelled or failed. error: why it failed. name: of a demo.
    """

    number: int
    kind: str
    status: str
    subjects: tuple[str, ...]
    error: str = ""
    name: str = ""


class Endings:
    """The latest endings. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Ending] = deque(maxlen=_KEPT)
        self._last = 0
        self._told: dict[str, int] = {}  # reader -> the number up to which it has been told

    @property
    def last(self) -> int:
        """The number of the latest; 0 when nothing has ended."""
        return self._last

    def add(
        self, kind: str, status: str, subjects: Sequence[str], *, error: str = "", name: str = ""
    ) -> None:
        """One more has ended."""
        with self._lock:
            self._last += 1
            subjects = tuple(subjects)
            ending = Ending(
                number=self._last, kind=kind, status=status, subjects=subjects, error=error, name=name
            )
            self._kept.append(ending)

    def untold(self, reader: str, after: int) -> list[Ending]:
        """Those after a number of which the reader was not told, oldest first; from now on it was.

        reader: a browser, whose tabs ask by the same name, so that one of them alone is told.
        """
        with self._lock:
            known = max(after, self._told.pop(reader, 0))
            self._told[reader] = self._last
            for oldest in list(self._told)[:-_MAX_READERS]:
                del self._told[oldest]
            return [ending for ending in self._kept if ending.number > known]
