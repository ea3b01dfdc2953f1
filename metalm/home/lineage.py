"""What a run has seen: every text that it or an ancestor was trained on, or chosen by.

A text is written "sha256:begin:end": bytes [begin, end) of the stored text with that hash. So a chunk of a
corpus is recognised in the whole, whatever it is called and in whichever home.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from metalm.errors import LineageError
from metalm.store.runs import Run
from metalm.text.splits import Role, Split
from metalm.text.tasks import Task, task_id

HashOf = Callable[[Task], str]  # the sha256 of the stored text that a task is cut from


def written(tasks: Iterable[Task], hash_of: HashOf, inherited: Iterable[str] = ()) -> tuple[str, ...]:
    """The tasks' texts and the inherited ones as lineage writes them, each once, in one order."""
    return tuple(sorted({*inherited, *(f"{hash_of(task)}:{task.begin}:{task.end}" for task in tasks)}))


def met(tasks: Iterable[Task], hash_of: HashOf, texts: Iterable[str]) -> list[Task]:
    """Those of the tasks that share a byte with one of the texts."""
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for text in texts:
        sha256, begin, end = text.split(":")
        ranges[sha256].append((int(begin), int(end)))
    return [
        task
        for task in tasks
        if any(begin < task.end and task.begin < end for begin, end in ranges.get(hash_of(task), ()))
    ]


def left_out(run: Run, split: Split) -> Task | None:
    """A task of the run's own split that its lineage does not tell of, though it must; None when all is told.

    Needs no text: a task's id follows from what lineage writes.
    """
    for role, texts in (("meta-train", run.seen), ("meta-validation", run.validated)):
        told = {task_id(text) for text in texts}
        for task in split.of_role(role):
            if task.id not in told:
                return task
    return None


def seen_tasks(run: Run, split: Split, role: Role, hash_of: HashOf) -> Collection[str]:
    """Ids of the role's tasks that must stay out of the run's means.

    Those that it or an ancestor was trained on; in meta-test also those that one of them was chosen by.
    """
    texts = (*run.seen, *run.validated) if role == "meta-test" else run.seen
    return {task.id for task in met(split.of_role(role), hash_of, texts)}


def check_warm_start(parent: Run, split: Split, hash_of: HashOf) -> None:
    """Raises LineageError when the parent was trained on, or chosen by, a meta-test text of the split."""
    tested = split.of_role("meta-test")
    for texts, deed in ((parent.seen, "was trained on"), (parent.validated, "was chosen by")):
        for task in met(tested, hash_of, texts):
            raise LineageError(
                f"meta-test task {task.name!r} of split {split.name!r} must be unseen, "
                f"but run {parent.name!r} or an ancestor {deed} its text"
            )
