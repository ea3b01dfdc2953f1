"""What tests of studies share: eight short texts, their roles, and the settings of the smallest study."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metalm.home import Home

ROLES = {
    "alpha": "meta-train",
    "beta": "meta-train",
    "gamma": "meta-train",
    "delta": "meta-train",
    "omega": "meta-validation",
    "sigma": "meta-validation",
    "theta": "meta-validation",
    "kappa": "meta-test",
}
GROUPS = {"alpha": "one", "beta": "one", "gamma": "two", "delta": "two", "omega": "one", "sigma": "two"}
QUICK = "validation.every=0, validation.support_bytes=256, validation.query_bytes=256, drawing.meta_batch=2"
SMALL = {
    "split": "small",
    "joint_tokens": 600,
    "meta_tokens": 600,
    "support": "256",
    "joint_set": f"model.hidden=8, model.embedding=8, joint.batch=2, joint.window=16, {QUICK}",
    "meta_set": f"inner.steps=2, inner.batch=1, inner.window=16, {QUICK}",
    "device": "cpu",
}


def after(looks):
    """Says stop when it was asked so often."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


@contextmanager
def study_home(folder: Path) -> Iterator[Home]:
    """An open home with a split of eight random texts, whose letters overlap, in two families."""
    with Home.open(folder / "home", doing="test", samples=False) as opened:
        for number, name in enumerate(ROLES):
            rng = random.Random(number)
            letters = "abcdefghijkl"[number : number + 5] + " "
            path = folder / f"{name}.txt"
            path.write_text("\n".join("".join(rng.choices(letters, k=60)) for _ in range(120)))
            groups = {"family": GROUPS[name]} if name in GROUPS else {}
            opened.add_corpus(path, groups=groups)
        tasks = opened.tasks()
        opened.freeze_split("small", tasks, {task.id: ROLES[task.name] for task in tasks})
        yield opened
