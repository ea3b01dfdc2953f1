"""How the database file is opened: the lock of another process, a damaged file, a damaged write-ahead log."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from metalm.errors import HomeError

# What DuckDB says, and says only, when the log beside the file cannot be replayed.
_CORRUPT_LOG = "Failure while replaying WAL file"
_LOCKED = "Could not set lock on file"
_HOLDER = re.compile(r"\(PID (\d+)\)")


def connect(path: Path) -> tuple[duckdb.DuckDBPyConnection, Path | None]:
    """The root connection to `path`, created if need be, and where a corrupt log was moved to, if any.

    Committed rows up to the last checkpoint are in the file itself; only what the damaged log alone held is
    lost, and the log is kept. Raises HomeError when another process holds the file or it is no database.
    """
    try:
        return _open(path), None
    except duckdb.Error as error:
        if _CORRUPT_LOG not in str(error):
            raise HomeError(_complaint(path, str(error))) from error
    quarantined = _move_log_aside(path)
    try:
        return _open(path), quarantined
    except duckdb.Error as error:
        raise HomeError(_complaint(path, str(error))) from error


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    # Extensions are never fetched: what metalm needs is built in, and nothing may call the network.
    return duckdb.connect(
        path, config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )


def _move_log_aside(path: Path) -> Path:
    log = path.with_name(f"{path.name}.wal")
    kept = path.with_name(f"{path.name}.wal.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    return log.rename(kept)


def _complaint(path: Path, message: str) -> str:
    if _LOCKED in message:
        holder = _HOLDER.search(message)
        who = f"process {holder[1]}" if holder else "another process"
        return f"the store {path} is in use by {who}; stop it, or choose another home"
    return f"the store {path} cannot be opened: {message.splitlines()[0]}"
