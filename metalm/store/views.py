"""Saved views: what a reader chose on a page, under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metalm.errors import ConfigError
from metalm.store.database import Database, Transaction
from metalm.store.values import from_json, naive, now, to_json

Choices = Mapping[str, Sequence[str]]


class SavedViews:
    """The table `saved_views`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, page: str) -> dict[str, dict[str, list[str]]]:
        """Name -> choices of every view of a page, in the order of their names."""
        rows = self._database.rows(
            "SELECT name, choices FROM saved_views WHERE page = ? ORDER BY lower(name), name", [page]
        )
        return {name: from_json(choices) for name, choices in rows}

    def save(self, page: str, name: str, choices: Choices) -> None:
        """Keeps a view, in the place of another of its name. Raises ConfigError when the name is empty."""
        if not name.strip():
            raise ConfigError(f"the name of a view must not be empty, got {name!r}")
        row = [page, name.strip(), to_json({key: list(values) for key, values in choices.items()})]

        def replace(transaction: Transaction) -> None:
            transaction.execute(
                "INSERT OR REPLACE INTO saved_views VALUES (?, ?, ?, ?)", [*row, naive(now())]
            )

        self._database.write(replace)

    def delete(self, page: str, name: str) -> None:
        """Forgets a view; one that there is not is forgotten already."""
        self._database.execute("DELETE FROM saved_views WHERE page = ? AND name = ?", [page, name])
