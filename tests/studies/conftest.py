"""A home with eight short texts, three of them to judge on."""

from __future__ import annotations

import random

import pytest
from study_homes import GROUPS, ROLES

from metalm.home import Home


@pytest.fixture
def home(tmp_path):
    """An open home with a split of eight random texts, whose letters overlap, in two families."""
    with Home.open(tmp_path / "home", doing="test", samples=False) as opened:
        for number, name in enumerate(ROLES):
            rng = random.Random(number)
            letters = "abcdefghijkl"[number : number + 5] + " "
            path = tmp_path / f"{name}.txt"
            path.write_text("\n".join("".join(rng.choices(letters, k=60)) for _ in range(120)))
            groups = {"family": GROUPS[name]} if name in GROUPS else {}
            opened.add_corpus(path, groups=groups)
        tasks = opened.tasks()
        opened.freeze_split("small", tasks, {task.id: ROLES[task.name] for task in tasks})
        yield opened
