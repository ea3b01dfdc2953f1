"""The table of runs, for thousands: only the columns asked for are read, filtered and sorted in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metalm.store.database import Database
from metalm.store.run_fields import FACTS, RunField, field
from metalm.store.run_filter import Piece, compiled

_FROM = """
FROM runs r LEFT JOIN run_summary u ON u.run = r.id LEFT JOIN splits s ON s.id = r.split_id
    LEFT JOIN runs p ON p.id = r.parent AND p.deleted_at IS NULL
"""
_SEARCHED = ("run", "algorithm", "split", "network", "notes")


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """Which runs. where: a filter (see `run_filter`); search: words that stand somewhere; statuses: none for
    any; ids: None for any."""

    where: str = ""
    search: str = ""
    statuses: tuple[str, ...] = ()
    archived: bool = False
    ids: tuple[str, ...] | None = None


class RunTable:
    """Reads of the table `runs` that never touch the whole of it. Raises FilterError: see `run_filter`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, query: RunQuery) -> int:
        """How many runs there are."""
        reading = _Reading()
        condition = reading.condition(query)
        sql = f"SELECT count(*) {reading.origin} WHERE {condition.sql}"  # noqa: S608 - values are bound
        row = self._database.row(sql, [*reading.values, *condition.values])
        return row[0] if row else 0

    def frame(
        self,
        columns: Sequence[str],
        query: RunQuery,
        *,
        sort: str = "created",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> pd.DataFrame:
        """One row a run, one column a key of `columns`, under that key. What a run lacks is last."""
        reading = _Reading()
        shown = [reading.value(field(key)) for key in columns]
        condition = reading.condition(query)
        order = reading.value(field(sort))
        names = ", ".join(f"{piece.sql} AS c{i}" for i, piece in enumerate(shown))
        way = "DESC" if descending else "ASC"
        sql = (
            f"SELECT {names} {reading.origin} WHERE {condition.sql} "  # noqa: S608 - values are bound
            f"ORDER BY {order.sql} {way} NULLS LAST, r.created_at DESC, r.id LIMIT ? OFFSET ?"
        )
        selected = [value for piece in shown for value in piece.values]
        values = [*selected, *reading.values, *condition.values, *order.values, limit, offset]
        return self._database.frame(sql, values).set_axis(list(columns), axis=1)

    def active(self) -> bool:
        """Whether a run is queued or running: then what is shown will change."""
        sql = "SELECT count(*) FROM runs WHERE status IN ('queued', 'running') AND deleted_at IS NULL"
        row = self._database.row(sql)
        return bool(row and row[0])

    def tags(self) -> list[str]:
        """Every tag that a run has, sorted."""
        rows = self._database.rows(
            "SELECT DISTINCT unnest(CAST(tags AS VARCHAR[])) AS tag FROM runs WHERE deleted_at IS NULL "
            "ORDER BY tag"
        )
        return [tag for (tag,) in rows]

    def metrics(self) -> list[str]:
        """The names of the scalars that the newest runs of each algorithm recorded, losses and parts not."""
        return [name for (name,) in self._database.rows(_METRICS)]

    def results(self) -> list[str]:
        """The keys of the results that there are, such as "meta-test@512"."""
        return [key for (key,) in self._database.rows(_RESULTS)]

    def kin(self, *, deleted: bool = False) -> pd.DataFrame:
        """What groups and lineage need of every run, archived ones too, oldest first: id, name, algorithm,
        status, split_id, seed, parent ("" for none), config (JSON text), bits_per_byte.

        deleted: with those in the bin.
        """
        return self._database.frame(_KIN, [deleted])


class _Reading:
    """The joins that the columns of one query need, each once."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, tuple], str] = {}

    def value(self, column: RunField) -> Piece:
        if not column.source:
            return Piece(column.sql, column.values)
        name = self._sources.setdefault((column.source, column.values), f"x{len(self._sources)}")
        return Piece(column.sql.format(source=name))

    @property
    def origin(self) -> str:
        joins = [
            f"LEFT JOIN ({source}) {name} ON {name}.run = r.id" for (source, _), name in self._sources.items()
        ]
        return " ".join([_FROM, *joins])

    @property
    def values(self) -> list[Any]:
        """What `origin` wants bound."""
        return [value for _, bound in self._sources for value in bound]

    def condition(self, query: RunQuery) -> Piece:
        pieces = [Piece("r.deleted_at IS NULL")]
        if not query.archived:
            pieces.append(Piece("NOT r.archived"))
        if query.ids is not None:
            pieces.append(_among("r.id", query.ids))
        if query.statuses:
            pieces.append(_among("r.status", query.statuses))
        if query.search.strip():
            texts = ", ".join(FACTS[key].sql for key in _SEARCHED)
            everything = f"lower(concat_ws(' ', {texts}, array_to_string({FACTS['tags'].sql}, ' ')))"
            pieces += [Piece(f"contains({everything}, lower(?))", (word,)) for word in query.search.split()]
        if (asked := compiled(query.where, self.value)) is not None:
            pieces.append(asked)
        sql = " AND ".join(piece.sql for piece in pieces)
        return Piece(sql, tuple(value for piece in pieces for value in piece.values))


def _among(sql: str, allowed: Collection[str]) -> Piece:
    return Piece(f"list_contains(CAST(? AS VARCHAR[]), {sql})", (list(allowed),))


_METRICS = """
SELECT DISTINCT name FROM metrics
WHERE run IN (
    SELECT id FROM runs WHERE deleted_at IS NULL AND step > 0
    QUALIFY row_number() OVER (PARTITION BY algorithm ORDER BY created_at DESC) <= 2
) AND task_id IS NULL AND NOT regexp_matches(name, '_(nats|tokens|bytes|chars)$') AND NOT contains(name, '/')
ORDER BY name
"""

_RESULTS = """
SELECT key FROM (
    SELECT DISTINCT role, support_bytes, concat(role, '@', support_bytes) AS key FROM evaluations
    WHERE method = 'adapt' AND track = 'static' AND run_id IS NOT NULL
) ORDER BY role, support_bytes
"""

# With those in the bin?
_KIN = f"""
SELECT r.id, r.name, r.algorithm, r.status, r.split_id, r.seed, coalesce(r.parent, '') AS parent,
    CAST(r.config AS VARCHAR) AS config, {FACTS["bits_per_byte"].sql} AS bits_per_byte
FROM runs r WHERE ? OR r.deleted_at IS NULL ORDER BY r.created_at, r.id
"""  # noqa: S608 - a constant of this package
