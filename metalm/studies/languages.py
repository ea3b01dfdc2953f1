"""Does it carry over languages and cultures? Learning from one group of tasks, judged on every other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import pandas as pd

from metalm.config import setting
from metalm.errors import SplitError
from metalm.studies.languages_report import made
from metalm.studies.plan import Asked, Planned
from metalm.studies.pretrained import Pretrained, compared
from metalm.studies.report import Report
from metalm.studies.splitting import keep, with_train
from metalm.text.splits import Split

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

EVERYTHING = "all groups"


@dataclass(frozen=True, kw_only=True)
class Languages(Pretrained):
    """Meta-trained runs and their twins, each on the meta-train tasks of one family or script alone."""

    kind: ClassVar[str] = "languages"
    question: ClassVar[str] = "Does it carry over languages and cultures?"
    explanation: ClassVar[str] = (
        "Learns from one family of languages (or one script) at a time, and from all together; judges each "
        "on every group of unseen tasks: a matrix, near against far, and the gain over joint training on the "
        "same texts. Three runs a group and seed: 12 runs, about four minutes, with the default settings."
    )
    by: Literal["family", "script"] = setting("family", "what makes a group of tasks")
    groups: int = setting(
        3, "how many groups, the largest in meta-train first, learn by themselves", at_least=1, at_most=50
    )
    support: str = setting("512,2048", "bytes of the support sets")

    def check(self, home: Home) -> None:
        super().check(home)
        if len(list(self.splits(home))) < 2:
            raise SplitError(
                f"split {self.split!r} must have meta-train tasks of two or more of {self.by}, got fewer"
            )

    def splits(self, home: Home) -> Iterator[tuple[str, Split]]:
        """(group, split with the meta-train tasks of that group alone), the largest first; all comes last."""
        split = home.split(self.split)
        train = split.of_role("meta-train")
        counts = Counter(sorted(task.groups[self.by] for task in train if self.by in task.groups))
        for group, count in counts.most_common(self.groups):
            if count < len(train):
                own = [task for task in train if task.groups.get(self.by) == group]
                yield group, with_train(split, own, group)
        yield EVERYTHING, split

    def prepare(self, home: Home) -> None:
        for _, split in self.splits(home):
            keep(home, split)

    def runs(self, home: Home, finished: Mapping[str, Run]) -> list[Planned]:  # noqa: ARG002
        return [
            each
            for group, split in self.splits(home)
            for seed in range(self.seeds)
            for each in self.three(split.id, seed, at=group, series=group)
        ]

    def evaluations(self, home: Home, runs: Mapping[str, Run]) -> Sequence[Asked]:
        keys = compared(runs, self.runs(home, runs))
        options = {"role": self.role, "support": self.support_bytes, "draws": self.draws, "ends": True}
        return [Asked(name="languages", keys=keys, **options)]

    def report(self, home: Home, rows: pd.DataFrame, runs: Mapping[str, Run]) -> Report:  # noqa: ARG002
        return made(home, self, rows, dict(self.splits(home)))
