"""The one home and the one queue of this process: opened by who starts it, found by pages and routes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from metalm.errors import HomeError
from metalm.home import Home
from metalm.jobs.manager import JobManager


@dataclass(frozen=True, kw_only=True)
class Service:
    """An open home, its queue, and the token that lets a command in ("" where there is no API)."""

    home: Home
    jobs: JobManager
    token: str = ""

    def close(self) -> None:
        """Stops what runs (with a checkpoint), waits for it, and closes the home."""
        self.jobs.close()
        self.home.close()


_current: Service | None = None


def current() -> Service:
    """What this process has open. Raises HomeError where nothing is."""
    if _current is None:
        raise HomeError(
            "no home is open in this process; start the app with `make run` or `python -m metalm app`"
        )
    return _current


def use(opened: Service | None) -> None:
    """Makes `opened` what `current` gives; None forgets it. It neither opens nor closes anything."""
    global _current
    _current = opened


def open_for_app(home_dir: Path, address: str) -> Service:
    """Opens `home_dir` for the application that listens at `address`, and starts its queue.

    Raises HomeError when another process owns the home or its files cannot be read.
    """
    home = Home.open(home_dir, doing="app")
    jobs = JobManager(home)
    jobs.start()
    token = secrets.token_urlsafe(32)
    home.publish(address=address, token=token)
    return Service(home=home, jobs=jobs, token=token)
