"""Fitted tokenizers, by the hash of what they do."""

from __future__ import annotations

from metalm.errors import NotFoundError
from metalm.store.database import Database, Transaction
from metalm.store.values import from_json, naive, now, to_json
from metalm.text import tokenizers
from metalm.text.tokenizers import Tokenizer


class Tokenizers:
    """The table `tokenizers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tokenizer: Tokenizer) -> None:
        """Keeps a tokenizer; one that is kept already stays as it is."""
        self._database.write(lambda transaction: insert(transaction, tokenizer))

    def get(self, hash: str) -> Tokenizer:
        """The tokenizer of this hash. Raises NotFoundError."""
        row = self._database.row("SELECT data FROM tokenizers WHERE hash = ?", [hash])
        if row is None:
            raise NotFoundError(f"no tokenizer {hash!r} in the store")
        return tokenizers.from_json(from_json(row[0]))

    def is_used(self, hash: str) -> bool:
        """A run has this tokenizer."""
        return self._database.row("SELECT 1 FROM runs WHERE tokenizer = ? LIMIT 1", [hash]) is not None

    def delete(self, hash: str) -> None:
        """Forgets a tokenizer."""
        self._database.execute("DELETE FROM tokenizers WHERE hash = ?", [hash])


def insert(transaction: Transaction, tokenizer: Tokenizer) -> None:
    """Adds a tokenizer, unless it is there."""
    data = to_json(tokenizer.to_json())
    transaction.execute(
        "INSERT INTO tokenizers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [tokenizer.hash, tokenizer.kind, tokenizer.vocab_size, data, naive(now())],
    )
