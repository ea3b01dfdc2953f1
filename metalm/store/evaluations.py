"""The scores of runs and baselines: one number, one row, in summed nats with counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from metalm.store.database import Database
from metalm.store.values import naive, now, to_json

COLUMNS = (
    "run_id",
    "checkpoint_step",
    "split_id",
    "role",
    "task_id",
    "track",
    "method",
    "adaptation",
    "support_bytes",
    "draw",
    "adaptation_step",
    "seed",
    "nats",
    "tokens",
    "bytes",
    "chars",
    "seconds",
    "seen",
)


class Evaluations:
    """The table `evaluations`. A row of a baseline that needs no run has none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows with the keys COLUMNS, `adaptation` as JSON data; written within a second."""
        at = naive(now())
        values = [
            (*(row[name] if name != "adaptation" else to_json(row[name]) for name in COLUMNS), at)
            for row in rows
        ]
        self._database.buffer("evaluations", (*COLUMNS, "created_at"), values)

    def frame(
        self,
        run_ids: Collection[str] | None = None,
        *,
        split_id: str | None = None,
        role: str | None = None,
        with_baselines: bool = True,
    ) -> pd.DataFrame:
        """The rows of these runs (None: of all) at their latest checkpoint, on one split and role or any.

        Columns COLUMNS, `adaptation` as JSON text, with run, task and split as names, and near. Rows without
        a run are those of baselines.
        """
        values = [
            run_ids is None, list(run_ids or []), with_baselines, split_id, split_id, role, role
        ]  # fmt: skip
        return self._database.frame(_FRAME, values)

    def done(
        self,
        run_id: str | None,
        *,
        checkpoint_step: int | None,
        split_id: str,
        role: str,
        method: str,
        adaptation: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        """The rows that one contender has on a role of a split already: COLUMNS. Flushes first."""
        self._database.flush()
        values = [run_id, checkpoint_step, split_id, role, method, to_json(dict(adaptation))]
        rows = self._database.rows(_DONE, values)
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def table(self, run_id: str) -> pa.Table:
        """Every row of a run as it was added: COLUMNS, `adaptation` as JSON text."""
        return self._database.table(_OF_RUN, [run_id])


_FRAME = """
SELECT e.run_id, r.name AS run, e.checkpoint_step, e.split_id, coalesce(s.name, e.split_id) AS split, e.role,
    e.task_id, coalesce(m.name, e.task_id) AS task, m.near, e.track, e.method, e.adaptation, e.support_bytes,
    e.draw, e.adaptation_step, e.seed, e.nats, e.tokens, e.bytes, e.chars, e.seconds, e.seen
FROM evaluations e
    LEFT JOIN runs r ON r.id = e.run_id
    LEFT JOIN splits s ON s.id = e.split_id
    LEFT JOIN split_tasks m ON m.split_id = e.split_id AND m.task_id = e.task_id
WHERE (? OR list_contains(?, e.run_id) OR (? AND e.run_id IS NULL)) AND r.deleted_at IS NULL
    AND (CAST(? AS VARCHAR) IS NULL OR e.split_id = ?) AND (CAST(? AS VARCHAR) IS NULL OR e.role = ?)
QUALIFY e.checkpoint_step IS NOT DISTINCT FROM
    max(e.checkpoint_step) OVER (PARTITION BY e.run_id, e.split_id, e.role, e.method)
ORDER BY e.created_at, run, task, e.support_bytes, e.draw, e.adaptation_step
"""

_DONE = """
SELECT run_id, checkpoint_step, split_id, role, task_id, track, method, adaptation, support_bytes, draw,
    adaptation_step, seed, nats, tokens, bytes, chars, seconds, seen
FROM evaluations
WHERE run_id IS NOT DISTINCT FROM ? AND checkpoint_step IS NOT DISTINCT FROM ? AND split_id = ? AND role = ?
    AND method = ? AND CAST(adaptation AS VARCHAR) = ?
ORDER BY task_id, support_bytes, draw, adaptation_step
"""

_OF_RUN = """
SELECT run_id, checkpoint_step, split_id, role, task_id, track, method,
    CAST(adaptation AS VARCHAR) AS adaptation, support_bytes, draw, adaptation_step, seed, nats, tokens,
    bytes, chars, seconds, seen
FROM evaluations WHERE run_id = ?
ORDER BY ALL
"""
