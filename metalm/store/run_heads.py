"""What lists of runs say of each: read of thousands at once, where whole runs would take too long."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from metalm.store.database import Database

# One row a run, in the order of the fields of `RunHead`, newest first; deleted ones not.
_HEADS = """
SELECT id, name, status, split_id, step, best_value, CAST(tags AS VARCHAR[]), archived, created_at
FROM runs WHERE deleted_at IS NULL ORDER BY created_at DESC, id
"""


class RunHead(NamedTuple):
    """A few fields of a `Run`, under the same names; created_at is naive, for comparison alone."""

    id: str
    name: str
    status: str
    split_id: str
    step: int
    best_value: float | None
    tags: list[str]
    archived: bool
    created_at: datetime


def read(database: Database) -> list[RunHead]:
    """Every run, newest first; those in the bin not."""
    return [RunHead(*row) for row in database.rows(_HEADS)]
