"""Splits: a frozen partition of tasks into meta-train, meta-validation and meta-test.

`freeze` is the one way to make a split from choices, and checks them; `random_roles`, `roles_by_group` and
`folds` make such choices. A choice is a mapping from task id to role; a task without one is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np

from metalm.errors import BundleError, NotFoundError, SplitError
from metalm.text.tasks import Task, check_size

Role = Literal["meta-train", "meta-validation", "meta-test"]
ROLES: tuple[Role, ...] = get_args(Role)
_PLACE = ("name", "family", "fold", "folds")
KINSHIP = ("family", "script")  # the groups that make a meta-test task near or far


@dataclass(frozen=True, kw_only=True)
class SplitTask:
    """A task in its role. `near` is for meta-test only: a meta-train task shares its family or script.

    None where no meta-train task and it name the same one of these two groups, and in the other roles.
    """

    task: Task
    role: Role
    near: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Split:
    """Tasks in their roles, by role and name. Splits of one `family` are the rotated folds of one choice."""

    name: str
    tasks: tuple[SplitTask, ...]
    family: str
    fold: int = 1
    folds: int = 1
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def hash(self) -> str:
        """64 hex digits; equal where the same bytes have the same roles and relatives, whatever the names."""
        content = sorted((t.task.id, t.role, t.task.relatives) for t in self.tasks)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def id(self) -> str:
        """The first 16 digits of the hash."""
        return self.hash[:16]

    def of_role(self, role: Role) -> tuple[Task, ...]:
        """The tasks of a role, by name."""
        return tuple(t.task for t in self.tasks if t.role == role)

    def near(self, task_id: str) -> bool | None:
        """The near/far mark of a task: see `SplitTask`."""
        marks = {t.task.id: t.near for t in self.tasks}
        if task_id not in marks:
            raise NotFoundError(f"no task {task_id!r} in split {self.name!r}")
        return marks[task_id]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, hash included; `from_json` reads it back."""
        return {
            **{key: getattr(self, key) for key in _PLACE},
            "created_at": self.created_at.isoformat(),
            "hash": self.hash,
            "tasks": [{**asdict(t.task), "role": t.role, "near": t.near} for t in self.tasks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Split:
        """The split that `to_json` wrote. Raises BundleError on anything else, and on another hash."""
        try:
            tasks = tuple(_split_task(dict(t)) for t in data["tasks"])
            created_at = datetime.fromisoformat(data["created_at"])
            place = {key: data[key] for key in _PLACE}
            split = cls(**place, created_at=created_at, tasks=tasks)
            matches = split.hash == data["hash"]
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"a split must be stored as metalm writes it, got {error!r}") from error
        if not matches:
            raise BundleError(f"split {split.name!r} must have the hash {data['hash']!r}, got {split.hash!r}")
        return split


def _split_task(data: dict[str, Any]) -> SplitTask:
    role, near = data.pop("role"), data.pop("near")
    task = Task(**data)
    if role not in ROLES or near not in (True, False, None) or not 0 <= task.begin < task.end:
        raise ValueError(f"task {task.name!r} as {role!r}")
    return SplitTask(task=task, role=role, near=near)


def freeze(
    name: str,
    tasks: Iterable[Task],
    roles: Mapping[str, Role],
    *,
    family: str = "",
    fold: int = 1,
    folds: int = 1,
) -> Split:
    """The split in which each task has the role that `roles` gives to its id; tasks without one are left out.

    Raises SplitError, naming the tasks, unless each is long enough, names differ, no byte stands in two,
    relatives share a role, and there is meta-train and at least one other role.
    """
    if not name.strip():
        raise SplitError(f"the name of a split must not be empty, got {name!r}")
    by_id = {task.id: task for task in tasks}
    if strangers := sorted(set(roles) - set(by_id)):
        raise SplitError(f"no task {strangers[0]!r} among the tasks of split {name!r}")
    if unknown := sorted(set(roles.values()) - set(ROLES)):
        raise SplitError(f"a role must be one of {', '.join(ROLES)}, got {unknown[0]!r}")
    chosen = [(by_id[task_id], role) for task_id, role in roles.items()]
    chosen.sort(key=lambda pair: (ROLES.index(pair[1]), pair[0].name, pair[0].id))
    _check_tasks([task for task, _ in chosen])
    _check_relatives(chosen)
    train = [task for task, role in chosen if role == "meta-train"]
    if not train or len(train) == len(chosen):
        rule = "a task in meta-train and one in meta-validation or meta-test"
        raise SplitError(f"split {name!r} must have {rule}, got {len(train)} of {len(chosen)} in meta-train")
    marked = tuple(
        SplitTask(task=task, role=role, near=is_near(task, train) if role == "meta-test" else None)
        for task, role in chosen
    )
    return Split(name=name, tasks=marked, family=family or name, fold=fold, folds=folds)


def _check_tasks(tasks: Sequence[Task]) -> None:
    names = set()
    for task in tasks:
        check_size(task)
        if task.name in names:
            raise SplitError(f"names of tasks must differ inside a split, got {task.name!r} twice")
        names.add(task.name)
    for left, right in pairwise(sorted(tasks, key=lambda t: (t.corpus_id, t.begin, t.end))):
        if left.corpus_id == right.corpus_id and right.begin < left.end:
            raise SplitError(f"tasks of a split must not share text, got {left.name!r} and {right.name!r}")


def _check_relatives(chosen: Iterable[tuple[Task, Role]]) -> None:
    first: dict[str, tuple[Task, Role]] = {}
    for task, role in chosen:
        other, other_role = first.setdefault(task.relatives, (task, role))
        if role != other_role:
            raise SplitError(
                f"relatives {task.relatives!r} must not straddle roles, "
                f"got {other.name!r} in {other_role} and {task.name!r} in {role}"
            )


def is_near(task: Task, train: Iterable[Task]) -> bool | None:
    """Whether a task shares its family or script with one of `train`; None where no two name the same."""
    known = [(task.groups.get(key), other.groups.get(key)) for other in train for key in KINSHIP]
    shared = [mine == theirs for mine, theirs in known if mine and theirs]
    return any(shared) if shared else None


def roles_by_group(
    tasks: Iterable[Task], key: str, *, validation: Collection[str] = (), test: Collection[str] = ()
) -> dict[str, Role]:
    """Roles by a group of the tasks: those whose `key` is in `validation` or `test`, the rest meta-train.

    Tasks too short for a role are left out. SplitError when no task has a value, or it is asked for twice.
    """
    tasks = [task for task in tasks if task.is_long_enough]
    if both := sorted(set(validation) & set(test)):
        raise SplitError(f"{key} {both[0]!r} must have one role, got meta-validation and meta-test")
    known = {task.groups[key] for task in tasks if key in task.groups}
    if missing := sorted({*validation, *test} - known):
        raise SplitError(f"no task with {key} {missing[0]!r}; there are {', '.join(sorted(known)) or 'none'}")
    role_of: dict[str | None, Role] = dict.fromkeys(validation, "meta-validation")
    role_of |= dict.fromkeys(test, "meta-test")
    return {task.id: role_of.get(task.groups.get(key), "meta-train") for task in tasks}


def random_roles(tasks: Iterable[Task], *, validation: int, test: int, seed: int) -> dict[str, Role]:
    """Roles drawn with a seed: exactly `validation` and `test` tasks as whole groups of relatives.

    The rest is meta-train; tasks too short for a role are left out. SplitError when groups cannot give the
    numbers.
    """
    groups = _shuffled_relatives(tasks, seed)
    roles: dict[str, Role] = {}
    for role, count in (("meta-test", test), ("meta-validation", validation)):
        drawn = _groups_of(groups, count, role)
        groups = [group for group in groups if group not in drawn]
        roles |= {task.id: role for group in drawn for task in group}
    return roles | {task.id: "meta-train" for group in groups for task in group}


def folds(tasks: Iterable[Task], num_folds: int, seed: int) -> tuple[dict[str, Role], ...]:
    """Rotated roles: each task is meta-test in one fold and meta-validation in the one before it.

    Parts are as equal as whole groups of relatives allow. Tasks too short for a role are left out.
    """
    groups = _shuffled_relatives(tasks, seed)
    if not 3 <= num_folds <= len(groups):
        raise SplitError(
            f"folds must be 3 or more and at most the {len(groups)} groups of relatives, got {num_folds}"
        )
    parts: list[list[Task]] = [[] for _ in range(num_folds)]
    for group in sorted(groups, key=len, reverse=True):
        min(parts, key=len).extend(group)
    order: tuple[Role, ...] = ("meta-test", "meta-validation", *["meta-train"] * (num_folds - 2))
    return tuple(
        {task.id: order[(part - fold) % num_folds] for part in range(num_folds) for task in parts[part]}
        for fold in range(num_folds)
    )


def _shuffled_relatives(tasks: Iterable[Task], seed: int) -> list[list[Task]]:
    """Groups of relatives in an order that only the seed and the tasks decide, not the order they come in."""
    groups = defaultdict(list)
    for task in sorted(tasks, key=lambda t: (t.name, t.id)):
        if task.is_long_enough:
            groups[task.relatives].append(task)
    ordered = [groups[name] for name in sorted(groups)]
    return [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]


def _groups_of(groups: Sequence[list[Task]], count: int, role: Role) -> list[list[Task]]:
    """The first groups, in their order, that hold exactly `count` tasks together."""
    reachable = [{0}]  # the sums that the last 0, 1, 2 ... groups can make
    for group in reversed(groups):
        reachable.append(reachable[-1] | {size + len(group) for size in reachable[-1]})
    if count not in reachable[-1]:
        total = sum(map(len, groups))
        raise SplitError(f"{role} must be made of whole groups of relatives, got {count} of {total} tasks")
    drawn = []
    for i, group in enumerate(groups):
        if count >= len(group) and count - len(group) in reachable[len(groups) - i - 1]:
            drawn.append(group)
            count -= len(group)
    return drawn
