"""The queue: what waits, what runs, what is over. Who runs it, and how, is left to `metalm.jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from metalm.errors import NotFoundError, RunStateError
from metalm.store.database import Database, Transaction
from metalm.store.values import naive, new_id, now, record, to_json

JobStatus = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]

_SELECT = (
    "SELECT id, kind, payload, status, position, run_id, error, traceback, message, progress, "
    "created_at, started_at, finished_at FROM jobs "
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One entry of the queue. `position`: lower is nearer to its turn. `progress`: 0 to 1."""

    id: str
    kind: str
    payload: dict[str, Any]
    status: JobStatus
    position: int
    run_id: str | None
    error: str
    traceback: str
    message: str
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Jobs:
    """The table `jobs`. Raises NotFoundError for an id that is not in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, payload: Mapping[str, Any], *, run_id: str | None = None) -> Job:
        """A new job at the end of the queue. payload: JSON data."""
        job_id = new_id()
        self._database.execute(
            "INSERT INTO jobs SELECT ?, ?, ?, 'queued', coalesce(max(position), 0) + 1, ?, '', '', '', 0, ?, "
            "NULL, NULL FROM jobs",
            [job_id, kind, to_json(dict(payload)), run_id, naive(now())],
        )
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """The job with this id."""
        row = self._database.row(_SELECT + "WHERE id = ?", [job_id])
        if row is None:
            raise NotFoundError(f"no job {job_id!r} in the queue")
        return _job(row)

    def queue(self) -> list[Job]:
        """What waits, the next one first."""
        return self.with_status("queued")

    def with_status(self, *statuses: JobStatus) -> list[Job]:
        """The jobs of these statuses, in the order of the queue."""
        rows = self._database.rows(
            _SELECT + "WHERE list_contains(?, status) ORDER BY position, created_at", [list(statuses)]
        )
        return [_job(row) for row in rows]

    def of_run(self, run_id: str) -> list[Job]:
        """The jobs that train this run, oldest first."""
        rows = self._database.rows(_SELECT + "WHERE run_id = ? ORDER BY created_at, position", [run_id])
        return [_job(row) for row in rows]

    def recent(self, limit: int = 50) -> list[Job]:
        """What is over, newest first."""
        rows = self._database.rows(
            _SELECT + "WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT ?", [limit]
        )
        return [_job(row) for row in rows]

    def start(self, job_id: str) -> bool:
        """Marks a waiting job as running. False when it waits no longer."""
        changed = self._database.execute(
            "UPDATE jobs SET status = 'running', started_at = ? WHERE id = ? AND status = 'queued' "
            "RETURNING id",
            [naive(now()), job_id],
        )
        return bool(changed)

    def progress(self, job_id: str, progress: float, message: str = "") -> None:
        """How far a running job is; written within a second."""
        self._database.buffer_update(
            ("job", job_id),
            "UPDATE jobs SET progress = ?, message = ? WHERE id = ?",
            [progress, message, job_id],
        )

    def end(self, job_id: str, status: JobStatus, *, error: str = "", traceback: str = "") -> None:
        """Marks a job as over. `progress` becomes 1 when it finished."""
        self._database.execute(
            "UPDATE jobs SET status = ?, error = ?, traceback = ?, finished_at = ?, "
            "progress = CASE WHEN ? = 'finished' THEN 1 ELSE progress END WHERE id = ?",
            [status, error, traceback, naive(now()), status, job_id],
        )

    def move(self, job_id: str, position: int) -> None:
        """Puts a waiting job at `position` of the queue, 0 being the next to run.

        Raises RunStateError when it does not wait.
        """

        def reorder(transaction: Transaction) -> None:
            ids = [
                row[0]
                for row in transaction.execute(
                    "SELECT id FROM jobs WHERE status = 'queued' ORDER BY position, created_at"
                )
            ]
            if job_id not in ids:
                raise RunStateError(f"job {job_id!r} must be queued to be moved; it waits no longer")
            ids.remove(job_id)
            ids.insert(position, job_id)
            for place, each in enumerate(ids, start=1):
                transaction.execute("UPDATE jobs SET position = ? WHERE id = ?", [place, each])

        self.get(job_id)
        self._database.write(reorder)

    def delete(self, job_id: str) -> None:
        """Forgets a job."""
        self._database.execute("DELETE FROM jobs WHERE id = ?", [job_id])


def _job(row: tuple) -> Job:
    return record(Job, row, json=["payload"])
