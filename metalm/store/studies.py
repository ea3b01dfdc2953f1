"""Studies: what is asked, and which runs answer it. Their results are ordinary evaluations of those runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metalm.errors import NotFoundError
from metalm.store.database import Database
from metalm.store.values import naive, new_id, now, record, to_json

_SELECT = "SELECT id, kind, name, settings, created_at FROM studies "


@dataclass(frozen=True, kw_only=True)
class Study:
    """One study. `id` is 12 hex digits, settings are JSON data."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
    created_at: datetime


class Studies:
    """The tables `studies` and `study_runs`. Raises NotFoundError for an id that is not in them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, name: str, settings: Mapping[str, Any]) -> Study:
        """A new study without runs."""
        values = [new_id(), kind, name, to_json(dict(settings)), naive(now())]
        self._database.execute("INSERT INTO studies VALUES (?, ?, ?, ?, ?)", values)
        return self.get(values[0])

    def get(self, study_id: str) -> Study:
        """The study with this id."""
        row = self._database.row(_SELECT + "WHERE id = ?", [study_id])
        if row is None:
            raise NotFoundError(f"no study {study_id!r} in the store")
        return _study(row)

    def all(self) -> list[Study]:
        """Every study, newest first."""
        return [_study(row) for row in self._database.rows(_SELECT + "ORDER BY created_at DESC, id")]

    def names(self) -> list[tuple[str, str]]:
        """(id, name) of every study, newest first."""
        return [(study.id, study.name) for study in self.all()]

    def runs(self, study_id: str) -> dict[str, str]:
        """The ids of a study's runs by their key, in the order in which they were made."""
        rows = self._database.rows(
            "SELECT s.key, s.run_id FROM study_runs s JOIN runs r ON r.id = s.run_id WHERE s.study_id = ? "
            "AND r.deleted_at IS NULL ORDER BY r.created_at, s.key",
            [study_id],
        )
        return dict(rows)

    def add_run(self, study_id: str, key: str, run_id: str) -> None:
        """A run as what `key` says; in the place of another that was it."""
        self._database.execute("DELETE FROM study_runs WHERE study_id = ? AND key = ?", [study_id, key])
        self._database.execute("INSERT INTO study_runs VALUES (?, ?, ?)", [study_id, key, run_id])

    def delete(self, study_id: str) -> None:
        """Forgets a study; its runs stay."""
        self.get(study_id)
        self._database.execute("DELETE FROM study_runs WHERE study_id = ?", [study_id])
        self._database.execute("DELETE FROM studies WHERE id = ?", [study_id])


def _study(row: tuple) -> Study:
    return record(Study, row, json=["settings"])
