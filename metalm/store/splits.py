"""Tasks and the splits that give them roles. A split is frozen: nothing here changes one."""

from __future__ import annotations

from itertools import groupby

from metalm.errors import InUseError, NotFoundError, SplitError
from metalm.store.database import Database, Transaction
from metalm.store.values import aware, from_json, naive, now, to_json
from metalm.text.splits import Split, SplitTask
from metalm.text.tasks import Task


class Splits:
    """The tables `tasks`, `splits`, `split_tasks` and `openings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Split]:
        """Every split, by name."""
        splits = self._database.rows("SELECT id, name, family, fold, folds, created_at FROM splits")
        members = self._database.rows(_MEMBERS)
        tasks = {split_id: list(rows) for split_id, rows in groupby(members, key=lambda row: row[0])}
        return sorted((_split(row, tasks[row[0]]) for row in splits), key=lambda split: split.name)

    def get(self, split_id: str) -> Split:
        """The split with this id. Raises NotFoundError."""
        row = self._database.row(
            "SELECT id, name, family, fold, folds, created_at FROM splits WHERE id = ?", [split_id]
        )
        if row is None:
            raise NotFoundError(f"no split {split_id!r} in the store")
        return _split(row, self._database.rows(_MEMBERS_OF, [split_id]))

    def names(self) -> dict[str, str]:
        """Name of each split by id."""
        return dict(self._database.rows("SELECT id, name FROM splits ORDER BY name"))

    def add(self, *splits: Split) -> list[Split]:
        """Keeps splits, all or none, and gives them as they are kept.

        One of the same hash as one that is there is the one that is there. Raises SplitError when a name is
        taken by another.
        """

        def insert_all(transaction: Transaction) -> None:
            for split in splits:
                insert(transaction, split)

        self._database.write(insert_all)
        return [self.get(split.id) for split in splits]

    def delete(self, split_id: str) -> None:
        """Forgets a split. Raises InUseError, naming them, while runs train on it."""

        def delete(transaction: Transaction) -> None:
            users = transaction.execute("SELECT name FROM runs WHERE split_id = ? ORDER BY name", [split_id])
            if users:
                names = ", ".join(repr(name) for (name,) in users)
                name = transaction.execute("SELECT name FROM splits WHERE id = ?", [split_id])[0][0]
                raise InUseError(f"split {name!r} must not be in use to be deleted, runs {names} use it")
            transaction.execute("DELETE FROM evaluations WHERE split_id = ?", [split_id])
            transaction.execute("DELETE FROM split_tasks WHERE split_id = ?", [split_id])
            transaction.execute("DELETE FROM splits WHERE id = ?", [split_id])

        self._database.write(delete)

    def task_names(self) -> dict[str, str]:
        """Name of each task that was ever in a split, by id."""
        return dict(self._database.rows("SELECT id, name FROM tasks"))

    def task_ids_of(self, corpus_id: str) -> list[str]:
        """The tasks that were ever cut from a corpus."""
        rows = self._database.rows("SELECT id FROM tasks WHERE corpus_id = ?", [corpus_id])
        return [task_id for (task_id,) in rows]

    def record_opening(self, split_id: str, run_id: str) -> None:
        """Somebody looks at a run's meta-test: counted for ever."""
        self._database.execute("INSERT INTO openings VALUES (?, ?, ?)", [split_id, run_id, naive(now())])

    def openings(self, split_id: str) -> int:
        """How often meta-test of this split was opened."""
        return self._database.rows("SELECT count(*) FROM openings WHERE split_id = ?", [split_id])[0][0]

    def openings_by(self, run_id: str) -> dict[str, int]:
        """How often a run opened meta-test, by the id of the split."""
        return dict(self._database.rows(_OPENINGS_BY, [run_id]))


_OPENINGS_BY = "SELECT split_id, count(*) FROM openings WHERE run_id = ? GROUP BY split_id ORDER BY split_id"
_MEMBERS = """
SELECT m.split_id, m.task_id, m.name, t.corpus_id, t."begin", t."end", m.groups, m.relatives, m.role, m.near
FROM split_tasks m JOIN tasks t ON t.id = m.task_id ORDER BY m.split_id, m.position
"""
_MEMBERS_OF = """
SELECT m.split_id, m.task_id, m.name, t.corpus_id, t."begin", t."end", m.groups, m.relatives, m.role, m.near
FROM split_tasks m JOIN tasks t ON t.id = m.task_id WHERE m.split_id = ? ORDER BY m.position
"""


def insert(transaction: Transaction, split: Split) -> None:
    """Adds a split, unless one of its hash is there. Raises SplitError when its name is taken by another."""
    if transaction.execute("SELECT id FROM splits WHERE id = ?", [split.id]):
        return
    if transaction.execute("SELECT id FROM splits WHERE name = ?", [split.name]):
        raise SplitError(f"the name of a split must be free, {split.name!r} is taken")
    known = {task_id for (task_id,) in transaction.execute("SELECT id FROM tasks")}
    tasks = [t.task for t in split.tasks if t.task.id not in known]
    transaction.append(
        "tasks",
        ("id", "corpus_id", "name", "begin", "end", "groups"),
        [(t.id, t.corpus_id, t.name, t.begin, t.end, to_json(t.groups)) for t in tasks],
    )
    transaction.append(
        "split_tasks",
        ("split_id", "position", "task_id", "role", "near", "name", "groups", "relatives"),
        [_member(split.id, position, member) for position, member in enumerate(split.tasks)],
    )
    transaction.append(
        "splits",
        ("id", "hash", "name", "family", "fold", "folds", "created_at"),
        [(split.id, split.hash, split.name, split.family, split.fold, split.folds, naive(split.created_at))],
    )


def _member(split_id: str, position: int, member: SplitTask) -> tuple:
    task = member.task
    groups = to_json(task.groups)
    return split_id, position, task.id, member.role, member.near, task.name, groups, task.relatives


def _split(row: tuple, members: list[tuple]) -> Split:
    _, name, family, fold, folds, created_at = row
    tasks = tuple(
        SplitTask(
            task=Task(
                id=task_id,
                name=task_name,
                corpus_id=corpus_id,
                begin=begin,
                end=end,
                groups=from_json(groups),
                relatives=relatives,
            ),
            role=role,
            near=near,
        )
        for _, task_id, task_name, corpus_id, begin, end, groups, relatives, role, near in members
    )
    return Split(name=name, tasks=tasks, family=family, fold=fold, folds=folds, created_at=aware(created_at))
