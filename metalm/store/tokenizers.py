"""Fitted tokenizers, by the hash of what they do."""

from __future__ import annotations

from typing import Any

from metalm.errors import NotFoundError
from metalm.store.database import Database
from metalm.store.values import from_json, naive, now, to_json


class Tokenizers:
    """The table `tokenizers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, hash: str, kind: str, vocab_size: int, data: dict[str, Any]) -> None:
        """Keeps a tokenizer; one that is kept already stays as it is. data: its JSON."""
        self._database.execute(
            "INSERT INTO tokenizers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [hash, kind, vocab_size, to_json(data), naive(now())],
        )

    def get(self, hash: str) -> dict[str, Any]:
        """The JSON of a tokenizer. Raises NotFoundError."""
        row = self._database.row("SELECT data FROM tokenizers WHERE hash = ?", [hash])
        if row is None:
            raise NotFoundError(f"no tokenizer {hash!r} in the store")
        return from_json(row[0])
