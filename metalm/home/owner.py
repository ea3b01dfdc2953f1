"""Who owns a home: one process at a time, written down in `owner.json` so that others can find it.

A file is stale, and is taken over, when its process is dead, when the machine was started anew since, or when
the number belongs to another process by now.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import psutil

FILE_NAME = "owner.json"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CLOCK_SECONDS = 2.0  # by which two readings of one process's start may differ


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process that has a home open. address, token: of its local API, "" where it has none (yet).

    started: when the process began, in seconds since 1970; with pid and boot_id it names the process.
    """

    pid: int
    boot_id: str
    started: float
    doing: str
    since: datetime
    address: str = ""
    token: str = ""

    @property
    def is_alive(self) -> bool:
        """The process still exists."""
        if self.boot_id != boot_id():
            return False
        try:
            process = psutil.Process(self.pid)
            # A killed process whose parent has not asked for its end is still listed.
            is_it = abs(process.create_time() - self.started) < _CLOCK_SECONDS
            return is_it and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@cache
def boot_id() -> str:
    """What tells this start of the machine from every other."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text().strip()
    return f"{psutil.boot_time():.0f}"


def read_owner(home_dir: Path) -> Owner | None:
    """The living owner of a home; None where there is none, or a stale file."""
    try:
        data = json.loads((home_dir / FILE_NAME).read_text(encoding="utf-8"))
        owner = Owner(**{**data, "since": datetime.fromisoformat(data["since"])})
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None  # no file, or one that a dying process left half-written: nobody can be asked
    return owner if owner.is_alive else None


def this_process(doing: str) -> Owner:
    """This process as an owner."""
    process = psutil.Process()
    now = datetime.now(UTC)
    return Owner(pid=process.pid, boot_id=boot_id(), started=process.create_time(), doing=doing, since=now)


def write_owner(home_dir: Path, owner: Owner) -> None:
    """Writes the file, readable by this user alone: it holds the token."""
    data = {**dataclasses.asdict(owner), "since": owner.since.isoformat()}
    temporary = home_dir / f".{FILE_NAME}.new"
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(data, file)
    os.replace(temporary, home_dir / FILE_NAME)


def remove_owner(home_dir: Path) -> None:
    """The home is nobody's any more."""
    (home_dir / FILE_NAME).unlink(missing_ok=True)
