"""The bin: runs that were deleted, and can be brought back until it is emptied. Nothing of them is lost."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import pandas as pd

from metalm.errors import NotFoundError, RunStateError
from metalm.store.database import Database, Transaction
from metalm.store.values import free_name, naive, now

_LIST = """
SELECT id, name, status, algorithm, step, seconds, deleted_at FROM runs WHERE deleted_at IS NOT NULL
ORDER BY deleted_at DESC, created_at DESC, id
"""
_RESTORE = "UPDATE runs SET deleted_at = NULL, name = ? WHERE id = ?"


class Bin:
    """The runs whose `deleted_at` is set: no list of runs has them. Raises NotFoundError for a missing id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run_ids: Collection[str]) -> None:
        """Puts runs into the bin, all or none. Raises RunStateError while one is queued or running."""

        def discard(transaction: Transaction) -> None:
            rows = transaction.execute(
                "SELECT id, name, status FROM runs WHERE list_contains(?, id)", [list(run_ids)]
            )
            _require_all(run_ids, rows)
            for _, name, status in rows:
                if status in ("queued", "running"):
                    raise RunStateError(f"run {name!r} must have ended to be deleted, it is {status}")
            for run_id in run_ids:
                transaction.execute("UPDATE runs SET deleted_at = ? WHERE id = ?", [naive(now()), run_id])

        self._database.write(discard)

    def restore(self, run_ids: Collection[str]) -> list[str]:
        """Takes runs out of the bin; their names, with "-2", "-3" ... where another run has it meanwhile."""

        def restore(transaction: Transaction) -> list[str]:
            rows = transaction.execute(
                "SELECT id, name FROM runs WHERE list_contains(?, id) AND deleted_at IS NOT NULL",
                [list(run_ids)],
            )
            _require_all(run_ids, rows)
            taken = {
                name for (name,) in transaction.execute("SELECT name FROM runs WHERE deleted_at IS NULL")
            }
            names = []
            for run_id, name in rows:
                names.append(free_name(name, taken))
                taken.add(names[-1])
                transaction.execute(_RESTORE, [names[-1], run_id])
            return names

        return self._database.write(restore)

    def table(self) -> pd.DataFrame:
        """A row a run in the bin, the last deleted first: id, name, status, algorithm, step, seconds,
        deleted_at."""
        return self._database.frame(_LIST)

    def before(self, moment: datetime) -> list[str]:
        """The ids of the runs that were deleted at `moment` or before."""
        rows = self._database.rows("SELECT id FROM runs WHERE deleted_at <= ?", [naive(moment)])
        return [run_id for (run_id,) in rows]


def _require_all(run_ids: Collection[str], rows: list[tuple]) -> None:
    for run_id in run_ids:
        if run_id not in {row[0] for row in rows}:
            raise NotFoundError(f"no run {run_id!r} in the store, or not where it was looked for")
