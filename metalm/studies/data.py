"""How much data does meta-learning need? Fewer meta-train tasks, shorter ones, shorter support sets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from metalm.config import setting
from metalm.errors import ConfigError
from metalm.studies.data_report import made
from metalm.studies.plan import Asked, Planned, numbers
from metalm.studies.pretrained import Pretrained, compared
from metalm.studies.report import Report
from metalm.studies.splitting import keep, with_train
from metalm.text.splits import Split
from metalm.text.tasks import MIN_TASK_BYTES, Task, character_boundary, task_id

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

TASKS, BYTES = "meta-train tasks", "bytes of each meta-train task"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One amount of data. sweeps: of which it is a part, with its place on that axis."""

    label: str
    split: Split
    sweeps: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Data(Pretrained):
    """Meta-trained runs and their twins on splits with fewer or shorter meta-train tasks."""

    kind: ClassVar[str] = "data"
    question: ClassVar[str] = "How much data does meta-learning need?"
    explanation: ClassVar[str] = (
        "Learns from fewer meta-train tasks, and from shorter ones, always for as long, always judged on the "
        "same tasks; fits scaling curves, and says where the gain over joint training and fine-tuning ends. "
        "Three runs an amount of data and seed: 15 runs, about five minutes, with the default settings."
    )
    tasks: str = setting("4,10", "numbers of meta-train tasks to try, beside all of them")
    task_bytes: str = setting("10000,40000", "bytes of each meta-train task to try, beside whole texts")

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = numbers("tasks", self.tasks, at_least=1)
        _ = numbers("task_bytes", self.task_bytes, at_least=MIN_TASK_BYTES)

    def check(self, home: Home) -> None:
        super().check(home)
        points = list(self.points(home))
        if len(points) < 2:
            count = len(home.split(self.split).of_role("meta-train"))
            raise ConfigError(f"tasks must have a number below the {count} there are, got {self.tasks!r}")

    def points(self, home: Home) -> Iterator[Point]:
        """Every amount of data, the least first, all of it last. Amounts that are not there are left out."""
        split = home.split(self.split)
        train = sorted(split.of_role("meta-train"), key=lambda task: task.id)
        random.Random(0).shuffle(train)  # one order: what is among few is among many, too
        for count in numbers("tasks", self.tasks):
            if count < len(train):
                part = with_train(split, train[:count], f"{count} tasks")
                yield Point(label=f"{count} tasks", split=part, sweeps={TASKS: count})
        for size in numbers("task_bytes", self.task_bytes):
            if any(task.size > size for task in train):
                part = with_train(split, [_shortened(home, task, size) for task in train], f"{size} bytes")
                yield Point(label=f"{size} bytes", split=part, sweeps={BYTES: _mean_size(part)})
        yield Point(label="all", split=split, sweeps={TASKS: len(train), BYTES: _mean_size(split)})

    def prepare(self, home: Home) -> None:
        for point in self.points(home):
            keep(home, point.split)

    def runs(self, home: Home, finished: Mapping[str, Run]) -> list[Planned]:  # noqa: ARG002
        return [
            each
            for point in self.points(home)
            for seed in range(self.seeds)
            for each in self.three(point.split.id, seed, at=point.label, series=point.label)
        ]

    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> Sequence[Asked]:
        keys = compared(runs, self.runs(home, runs))
        options = {"role": self.role, "support": self.support_bytes, "draws": self.draws, "ends": True}
        return [Asked(name="data", keys=keys, **options)]

    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:  # noqa: ARG002
        places = {point.label: point.sweeps for point in self.points(home)}
        return made(home, self, rows, places)


def _shortened(home: Home, task: Task, size: int) -> Task:
    """The first `size` bytes of a task, cut at a character."""
    if task.size <= size:
        return task
    end = character_boundary(home.text_of(task).path, task.begin + size)
    return replace(task, id=task_id(f"{home.hash_of(task)}:{task.begin}:{end}"), end=end)


def _mean_size(split: Split) -> int:
    sizes = [task.size for task in split.of_role("meta-train")]
    return round(sum(sizes) / len(sizes))
