"""The tasks and splits of a home, and the texts of their tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from metalm.errors import NotFoundError, SplitError
from metalm.home.place import resolve
from metalm.home.texts import Texts
from metalm.store.store import Store
from metalm.text.audit import Audit, audit
from metalm.text.corpora import corpus_path
from metalm.text.splits import Role, Split, freeze
from metalm.text.tasks import Cutting, Task, TaskText, tasks_of

MAX_AUDITS = 8  # kept in memory


class Splits(Texts):
    """The part of a home that keeps splits. `ref` is a split's id, its name, or the beginning of its id."""

    def __init__(self, path: Path, store: Store) -> None:
        super().__init__(path, store)
        self._audits: dict[str, Audit] = {}

    def tasks(
        self, *, by: Cutting = "corpus", corpora: Sequence[str] | None = None, chunk_bytes: int = 100_000
    ) -> list[Task]:
        """The tasks that these corpora (refs; None: all) give: one a corpus, one a group, or chunks."""
        chosen = self.corpora() if corpora is None else [self.corpus(ref) for ref in corpora]
        return tasks_of(chosen, by=by, chunk_bytes=chunk_bytes, corpora_dir=self.corpora_dir)

    def freeze_split(
        self,
        name: str,
        tasks: Iterable[Task],
        roles: Mapping[str, Role],
        *,
        family: str = "",
        fold: int = 1,
        folds: int = 1,
    ) -> Split:
        """Keeps the split in which each task has the role given for its id. The same content is one split.

        Raises SplitError when the roles break a rule of `metalm.text.splits.freeze`, two tasks share text
        (one text read with and without its groups is two corpora), or the name is taken.
        """
        split = freeze(name.strip(), tasks, roles, family=family, fold=fold, folds=folds)
        self._check_texts(split)
        return self.store.splits.add(split)[0]

    def _check_texts(self, split: Split) -> None:
        hashes = {corpus.id: corpus.sha256 for corpus in self.corpora()}
        tasks = [(hashes[m.task.corpus_id], m.task.begin, m.task.end, m.task.name) for m in split.tasks]
        for left, right in pairwise(sorted(tasks)):
            if left[0] == right[0] and right[1] < left[2]:
                raise SplitError(f"tasks of a split must not share text, got {left[3]!r} and {right[3]!r}")

    def splits(self) -> list[Split]:
        """Every split, by name."""
        return self.store.splits.all()

    def split(self, ref: str) -> Split:
        """One split. Raises NotFoundError."""
        return self.store.splits.get(resolve("split", ref, self.store.splits.names().items()))

    def delete_split(self, ref: str) -> None:
        """Deletes a split and its evaluations. Raises InUseError, naming the runs, while one trains on it."""
        self.store.splits.delete(self.split(ref).id)

    def openings(self, ref: str) -> int:
        """How often meta-test of a split was opened."""
        return self.store.splits.openings(self.split(ref).id)

    def open_meta_test(self, ref: str, run_id: str) -> None:
        """Records that somebody looks at a run on a meta-test task of a split: it is counted for ever."""
        self.store.splits.record_opening(self.split(ref).id, run_id)

    def audit(self, ref: str, *, on_progress: Callable[[float], None] = lambda _: None) -> Audit:
        """The leakage audit of a split: seconds the first time, kept while the home is open.

        on_progress hears the share done, 0 to 1; what it raises ends the audit, of which nothing is kept.
        """
        split = self.split(ref)
        if split.id not in self._audits:
            texts = {member.task.id: self.text_of(member.task) for member in split.tasks}
            found = audit(split, texts, on_progress=on_progress)
            while len(self._audits) >= MAX_AUDITS:
                self._audits.pop(next(iter(self._audits)), None)
            self._audits[split.id] = found
        return self._audits[split.id]

    def kept_audit(self, ref: str) -> Audit | None:
        """The audit of a split when it is at hand; None where it would take its time."""
        return self._audits.get(self.split(ref).id)

    def text_of(self, task: Task) -> TaskText:
        """A task with its text. Raises NotFoundError when it is not in this home (its run was imported)."""
        path = corpus_path(self.corpora_dir, task.corpus_id)
        if not path.exists():
            raise NotFoundError(f"no text of task {task.name!r} in the home; add its corpus {task.corpus_id}")
        return TaskText(task, path)

    def texts(self, ref: str, role: Role) -> list[TaskText]:
        """The texts of a split's tasks in one role, by name."""
        return [self.text_of(task) for task in self.split(ref).of_role(role)]
