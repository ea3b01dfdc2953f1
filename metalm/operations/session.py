"""One way to call operations, whoever owns the home: this process (`Local`) or a running app (`Remote`).

`open_session` finds out which. Both give the same lines for the same call, and raise the same errors.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from metalm import errors
from metalm.errors import HomeError, MetalmError
from metalm.operations import call

Lines = Iterator[dict[str, Any]]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How long to wait for an app that is starting to say where it listens.
_START_SECONDS = 15.0


class Local:
    """The home is open in this process; trainings run in its own worker, on all cores."""

    is_remote = False

    def __init__(self, home_dir: Path, *, doing: str) -> None:
        # Both bring in torch or DuckDB: a command that asks a running app needs neither.
        from metalm.home import Home
        from metalm.jobs.manager import JobManager
        from metalm.jobs.resources import all_cores

        self.home = Home.open(home_dir, doing=doing)
        self.jobs = JobManager(self.home, threads=all_cores(), only_own=True)
        self.interrupted = False

    def __enter__(self) -> Self:
        # Signals reach the main thread only; elsewhere whoever owns that thread decides about them.
        numbers = _SIGNALS if threading.current_thread() is threading.main_thread() else ()
        self._handlers = {number: signal.signal(number, self._interrupt) for number in numbers}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.jobs.close()
        self.home.close()

    def call(self, name: str, /, **arguments: Any) -> Lines:
        """The lines of an operation. After a Ctrl-C a training, and so its lines, end with a checkpoint."""
        return (line for line in call(name, self.home, self.jobs, arguments) if line is not None)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.jobs.is_busy and not self.interrupted:
            self.interrupted = True
            self.jobs.halt()
        else:
            raise KeyboardInterrupt


class Remote:
    """A running app owns the home: calls go to its local API, what they start outlives this process."""

    is_remote = True
    interrupted = False

    def __init__(self, address: str, token: str) -> None:
        import httpx

        self._client = httpx.Client(
            base_url=address,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(
                30.0, read=None
            ),  # a training may be silent for long; signs of life are read too
            trust_env=False,  # the app is on this machine: no proxy between
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def call(self, name: str, /, **arguments: Any) -> Lines:
        """The lines of an operation that the app runs. Its MetalmErrors are raised here as if it ran here."""
        import httpx

        try:
            with self._client.stream("POST", f"/api/call/{name}", json=arguments) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise HomeError(f"the app that owns the home refused {name!r}: {_reason(answer)}")
                for text in answer.iter_lines():
                    if text:
                        yield _line(json.loads(text))
        except httpx.TransportError as error:
            raise HomeError(
                f"the app that owns the home ended its answer to {name!r} early ({type(error).__name__}); "
                "see its log"
            ) from error


def _line(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        kind = getattr(errors, answer["error"]["type"], None)
        is_ours = isinstance(kind, type) and issubclass(kind, MetalmError)
        raise (kind if is_ours else HomeError)(answer["error"]["message"])
    return answer["line"]


def _reason(answer: Any) -> str:
    answer.read()
    try:
        return answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {answer.status_code}"


def open_session(home_dir: Path, *, doing: str) -> Local | Remote:
    """The home, by way of the app that owns it, or opened here when nobody does. Use it in a `with`.

    doing: what other processes are told that this one does with the home (`corpora add`).
    Raises HomeError when another command owns it.
    """
    from metalm.home.owner import read_owner

    deadline = time.monotonic() + _START_SECONDS
    owner = read_owner(home_dir)
    while owner is not None and owner.doing == "app" and not owner.address and time.monotonic() < deadline:
        time.sleep(0.1)
        owner = read_owner(home_dir)
    if owner is not None and owner.address:
        return Remote(owner.address, owner.token)
    return Local(home_dir, doing=doing)
