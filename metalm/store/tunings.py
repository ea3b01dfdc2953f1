"""How runs adapt in ways that are not their own, as tuning found it on meta-validation: it is made once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from metalm.store.database import Database
from metalm.store.values import naive, now, to_json


class Tunings:
    """The table `tunings`, the newest of each (run, checkpoint, split, method)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, run_id: str, checkpoint_step: int, split_id: str, method: str, found: Mapping[str, Any]
    ) -> None:
        """What was found, as JSON data, in the place of an older one."""
        key = [run_id, checkpoint_step, split_id, method]
        self._database.execute(_DELETE, key)
        self._database.execute(_INSERT, [*key, to_json(dict(found)), naive(now())])

    def get(self, run_id: str, checkpoint_step: int, split_id: str, method: str) -> dict[str, Any] | None:
        """What was found; None before."""
        row = self._database.row(_SELECT + _WHERE, [run_id, checkpoint_step, split_id, method])
        return row and json.loads(row[0])

    def of_run(self, run_id: str) -> dict[str, dict[str, Any]]:
        """What was found for a run, by method: of several checkpoints or splits the newest."""
        rows = self._database.rows(
            "SELECT method, CAST(found AS VARCHAR) FROM tunings WHERE run_id = ? ORDER BY created_at",
            [run_id],
        )
        return {method: json.loads(found) for method, found in rows}


_WHERE = "WHERE run_id = ? AND checkpoint_step = ? AND split_id = ? AND method = ?"
_SELECT = "SELECT CAST(found AS VARCHAR) FROM tunings "
_DELETE = f"DELETE FROM tunings {_WHERE}"  # noqa: S608 (no value is written into it)
_INSERT = "INSERT INTO tunings VALUES (?, ?, ?, ?, ?, ?)"
