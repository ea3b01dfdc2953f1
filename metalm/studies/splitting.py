"""Splits that studies make: of another split, with other tasks to learn from and the same to judge on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metalm.text.splits import Role, Split, freeze
from metalm.text.tasks import Task

if TYPE_CHECKING:
    from metalm.home import Home


def with_train(split: Split, train: Sequence[Task], what: str) -> Split:
    """The split with these meta-train tasks; `what` says in its name which they are. Not yet kept."""
    judged = [member for member in split.tasks if member.role != "meta-train"]
    roles: dict[str, Role] = {task.id: "meta-train" for task in train}
    roles |= {member.task.id: member.role for member in judged}
    name = f"{split.name} {what} ({split.id[:6]})"
    return freeze(name, [*train, *(member.task for member in judged)], roles)


def keep(home: Home, split: Split) -> None:
    """Freezes a split in the home; again it changes nothing."""
    roles = {member.task.id: member.role for member in split.tasks}
    home.freeze_split(split.name, [member.task for member in split.tasks], roles, family=split.family)
