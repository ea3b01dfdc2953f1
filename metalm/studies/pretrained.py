"""What the studies share: joint pre-training, meta-training from there, and joint training from there for as
much compute. Only the last two are compared: without that control a gain means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from metalm.config import setting
from metalm.config.settings import pairs
from metalm.errors import SplitError
from metalm.studies.plan import Planned, Study, numbers

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

MetaAlgorithm = Literal["fomaml", "maml", "reptile", "anil", "meta-sgd", "maml++", "cavia", "imaml"]
PresetName = Literal["tiny", "small", "base", "large"]
JudgedRole = Literal["meta-validation", "meta-test"]

JOINT, META, TWIN = "joint pre-training", "meta-trained", "joint continued"


@dataclass(frozen=True, kw_only=True)
class Pretrained(Study):
    """The settings of a study whose runs are such threes, one a seed."""

    split: str = setting("languages", "the task split to learn from and to judge on")
    role: JudgedRole = setting("meta-validation", "whose tasks judge; meta-test is recorded as opened")
    algorithm: MetaAlgorithm = setting("fomaml", "the meta-learning algorithm")
    preset: PresetName = setting("tiny", "size of the network")
    seeds: int = setting(
        1, "runs of each kind; their scores are pooled within a task", at_least=1, at_most=100
    )
    joint_tokens: int = setting(1_000_000, "tokens of joint pre-training", at_least=1)
    meta_tokens: int = setting(1_000_000, "tokens of meta-training, its adaptation included", at_least=1)
    support: str = setting("512,2048,10240", "bytes of the support sets")
    draws: int = setting(1, "support sets of each size in a task", at_least=1, at_most=100)
    joint_set: str = setting("", "further settings of joint runs: optimizer.lr=0.01, model.dropout=0.1")
    meta_set: str = setting("", "further settings of meta-trained runs: inner.steps=3, inner.lr=0.5")
    device: Literal["auto", "cuda", "mps", "cpu"] = setting("auto", "where to train")

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.support_bytes, pairs("joint_set", self.joint_set), pairs("meta_set", self.meta_set)

    @property
    def support_bytes(self) -> tuple[int, ...]:
        """The sizes of the support sets, rising."""
        return numbers("support", self.support)

    def check(self, home: Home) -> None:
        """The split is there, has tasks that judge, and every run has its settings."""
        split = home.split(self.split)
        if not split.of_role(self.role):
            raise SplitError(f"split {split.name!r} must have a task in {self.role} to judge there, got none")
        joint, meta, _ = self.three(self.split, 0)
        meta.config(joint.config(None))

    def three(self, split: str, seed: int, *, at: str = "", series: str = "") -> list[Planned]:
        """Joint pre-training, meta-training from it, and the twin of that.

        at: what tells these from other threes of the study, before the keys. series: the same, before series.
        """
        at, end = (f"{at}, " if at else ""), (f" seed {seed}" if self.seeds > 1 else "")
        keys = [f"{at}{name}{end}" for name in (JOINT, META, TWIN)]
        names = [f"{series}, {name}" if series else name for name in (JOINT, META, TWIN)]
        common = {"split": split, "seed": seed}
        return [
            Planned(
                key=keys[0],
                series=names[0],
                preset=self.preset,
                settings=self.run_settings(self.joint_tokens, self.joint_set),
                **common,
            ),
            Planned(
                key=keys[1],
                series=names[1],
                algorithm=self.algorithm,
                settings=self.run_settings(self.meta_tokens, self.meta_set),
                init=keys[0],
                **common,
            ),
            Planned(key=keys[2], series=names[2], twin_of=keys[1], **common),
        ]

    def run_settings(self, tokens: int, more: str) -> dict[str, str]:
        """Of a run with this budget: dotted keys and text. `more` is text as in `joint_set`."""
        budget = {"budget.unit": "tokens", "budget.amount": str(tokens), "device": self.device}
        return {**budget, **pairs("settings", more)}


def compared(runs: Mapping[str, Run], planned: Sequence[Planned]) -> tuple[str, ...]:
    """The keys of what is judged: all that is finished but the joint pre-training."""
    return tuple(each.key for each in planned if each.key in runs and not each.series.endswith(JOINT))


def told_split(home: Home, ref: str, role: str) -> str:
    """What was judged, in a sentence."""
    split = home.split(ref)
    count = len(split.of_role(role))
    return f"Judged on the {count} {role} tasks of the split {split.name} ({split.id})."
