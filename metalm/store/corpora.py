"""The corpora of a home. Their texts are files beside the database, named by id."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from metalm.errors import InUseError, NotFoundError
from metalm.store.database import Database, Transaction
from metalm.store.values import free_name, from_json, naive, record, to_json
from metalm.text.corpora import Corpus, Segment

_FIELDS = tuple(field.name for field in fields(Corpus))
_SELECT = (
    "SELECT id, name, sha256, bytes, chars, lines, encoding, language, licence, source, groups, segments, "
    "created_at FROM corpora "
)


class Corpora:
    """The table `corpora`. Names are unique in it. Raises NotFoundError for an id that is not in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Corpus]:
        """Every corpus, by name."""
        return [_corpus(row) for row in self._database.rows(_SELECT + "ORDER BY name")]

    def get(self, corpus_id: str) -> Corpus:
        """The corpus with this id."""
        row = self._database.row(_SELECT + "WHERE id = ?", [corpus_id])
        if row is None:
            raise NotFoundError(f"no corpus {corpus_id!r} in the store")
        return _corpus(row)

    def add(self, *corpora: Corpus) -> list[Corpus]:
        """Keeps corpora, all or none, and gives them as they are kept.

        One whose id is there already is the one that is there; a name that is taken gets "-2", "-3" ...
        """

        def insert(transaction: Transaction) -> list[Corpus]:
            known = dict(transaction.execute("SELECT id, name FROM corpora"))
            new = []
            for corpus in corpora:
                if corpus.id not in known:
                    known[corpus.id] = free_name(corpus.name, set(known.values()))
                    new.append(_row(corpus, known[corpus.id]))
            transaction.append("corpora", _FIELDS, new)
            return [_corpus(transaction.execute(_SELECT + "WHERE id = ?", [c.id])[0]) for c in corpora]

        return self._database.write(insert)

    def rename(self, corpus_id: str, name: str) -> None:
        """Another name. Raises InUseError when another corpus has it."""

        def rename(transaction: Transaction) -> None:
            if transaction.execute("SELECT id FROM corpora WHERE name = ? AND id <> ?", [name, corpus_id]):
                raise InUseError(f"the name {name!r} must be free, another corpus has it")
            transaction.execute("UPDATE corpora SET name = ? WHERE id = ?", [name, corpus_id])

        self._database.write(rename)

    def note(self, corpus: Corpus) -> None:
        """Keeps this corpus's language, licence, source and groups; all else of it never changes."""
        noted = [corpus.language, corpus.licence, corpus.source, to_json(corpus.groups), corpus.id]
        self._database.execute(
            "UPDATE corpora SET language = ?, licence = ?, source = ?, groups = ? WHERE id = ?", noted
        )

    def delete(self, corpus_id: str) -> None:
        """Forgets a corpus. Raises InUseError, naming them, while splits use it."""

        def delete(transaction: Transaction) -> None:
            users = [name for (name,) in transaction.execute(_SPLITS_OF, [corpus_id])]
            if users:
                corpus = transaction.execute("SELECT name FROM corpora WHERE id = ?", [corpus_id])[0][0]
                raise InUseError(
                    f"corpus {corpus!r} must not be in use to be deleted, splits {_list(users)} use it"
                )
            transaction.execute("DELETE FROM corpora WHERE id = ?", [corpus_id])

        self.get(corpus_id)
        self._database.write(delete)

    def statistics(self, corpus_id: str) -> Any | None:
        """What `keep_statistics` kept, None before."""
        row = self._database.row("SELECT statistics FROM corpora WHERE id = ?", [corpus_id])
        return from_json(row[0]) if row else None

    def keep_statistics(self, corpus_id: str, statistics: Any) -> None:
        """Keeps JSON data beside a corpus; its text never changes."""
        self._database.execute(
            "UPDATE corpora SET statistics = ? WHERE id = ?", [to_json(statistics), corpus_id]
        )


_SPLITS_OF = """
SELECT DISTINCT s.name FROM splits s JOIN split_tasks m ON m.split_id = s.id JOIN tasks t ON t.id = m.task_id
WHERE t.corpus_id = ? ORDER BY s.name
"""


def _list(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _corpus(row: tuple) -> Corpus:
    values = asdict(record(Corpus, row, json=["groups", "segments"]))
    return Corpus(**{**values, "segments": tuple(Segment(**s) for s in values["segments"])})


def _row(corpus: Corpus, name: str) -> tuple:
    values = {**asdict(corpus), "name": name, "created_at": naive(corpus.created_at)}
    for column in ("groups", "segments"):
        values[column] = to_json(values[column])
    return tuple(values.values())
