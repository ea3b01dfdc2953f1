"""How work under way is told to stop: a flag that it reads often, and what it raises when the flag is up."""

from __future__ import annotations

from collections.abc import Callable

ShouldStop = Callable[[], bool]


class Stopped(Exception):  # noqa: N818 (it is no error: somebody asked for it)
    """The stop flag was up; what was under way is dropped. `Training.run` ends quietly instead."""


def never() -> bool:
    """A stop flag that is never up."""
    return False


def stop_if(should_stop: ShouldStop) -> None:
    """Raises Stopped when the flag is up."""
    if should_stop():
        raise Stopped
