"""Operations on splits: create by hand, list, show, audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from metalm.errors import NotFoundError, SplitError
from metalm.text.splits import ROLES, Role, Split
from metalm.text.tasks import Cutting, Task

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager

Line = dict[str, Any]


def create(
    home: Home,
    _jobs: JobManager,
    *,
    name: str,
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    corpora: Sequence[str] | None = None,
    by: Cutting = "corpus",
    chunk_bytes: int = 100_000,
) -> Iterator[Line]:
    """One line: the frozen split. Tasks in neither list are meta-train; those too short for a role stay out.

    validation, test: tasks by name, or by a unique prefix of their name, id or corpus id.
    corpora: what the tasks are cut from (default: all corpora of the home).
    """
    tasks = home.tasks(by=by, corpora=corpora, chunk_bytes=chunk_bytes)
    roles: dict[str, Role] = {task.id: "meta-train" for task in tasks if task.is_long_enough}
    chosen: dict[str, Role] = {}
    for role, refs in (("meta-validation", validation), ("meta-test", test)):
        for ref in refs:
            task = _task(ref, tasks)
            if chosen.setdefault(task.id, role) != role:
                raise SplitError(f"task {task.name!r} must have one role, got {chosen[task.id]} and {role}")
    split = home.freeze_split(name, tasks, {**roles, **chosen})
    yield {"event": "created", **_line(split)}


def listing(home: Home, _jobs: JobManager) -> Iterator[Line]:
    """A line a split."""
    for split in home.splits():
        yield _line(split)


def show(home: Home, _jobs: JobManager, *, split: str) -> Iterator[Line]:
    """One line: the split with all its tasks, and how often its meta-test was opened."""
    found = home.split(split)
    tasks = [
        {
            "task": member.task.name,
            "role": member.role,
            "near": member.near,
            "bytes": member.task.size,
            "relatives": member.task.relatives,
            "id": member.task.id,
        }
        for member in found.tasks
    ]
    yield {**_line(found), "openings": home.openings(found.id), "tasks": tasks}


def audit(home: Home, _jobs: JobManager, *, split: str) -> Iterator[Line]:
    """A line a pair that shares text, worst first: `kind` is lines or 13-grams, `share` a fraction."""
    yield from home.audit(split).rows.to_dict("records")


def _task(ref: str, tasks: Sequence[Task]) -> Task:
    named = [task for task in tasks if task.name == ref]
    found = named or [
        task for task in tasks if any(text.startswith(ref) for text in (task.name, task.id, task.corpus_id))
    ]
    if len(found) != 1:
        names = ", ".join(task.name for task in found[:3])
        raise NotFoundError(
            f"no task {ref!r} in the split's corpora"
            if not found
            else f"no one task {ref!r}: it may be {names}"
        )
    return found[0]


def _line(split: Split) -> Line:
    counts = {role.replace("-", "_"): len(split.of_role(role)) for role in ROLES}
    return {
        "id": split.id,
        "name": split.name,
        **counts,
        "family": split.family,
        "fold": split.fold,
        "folds": split.folds,
        "created_at": split.created_at.isoformat(),
    }
