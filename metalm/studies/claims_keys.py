"""The runs of a `claims` study: what each is called and told, and how good it is on meta-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, get_args

from metalm.config import Joint
from metalm.studies.evidence import tuned_bits
from metalm.studies.pretrained import MetaAlgorithm

if TYPE_CHECKING:
    from metalm.store.runs import Run


LEARN_RATES = ("meta-sgd", "maml++")  # the algorithms whose runs can be judged at one rate, too


def key_of(series: str, split: str, seed: int) -> str:
    """What a run of the study is called in it."""
    return f"{series}, {split} seed {seed}"


def is_of(key: str, series: str, folds: Sequence[str]) -> bool:
    """Whether a run is one of a series, on any of these folds."""
    return any(key.startswith(f"{series}, {split} seed ") for split in folds)


def those_of(algorithm: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that are not another algorithm's: `maml++.msl=0` is only told to maml++."""
    sections = {*get_args(MetaAlgorithm), Joint.name} - {algorithm}
    return {key: value for key, value in settings.items() if key.partition(".")[0] not in sections}


def validated(
    series: str, folds: Sequence[str], seeds: Sequence[int], finished: Mapping[str, Run]
) -> float | None:
    """`tuned_bits`, the mean over folds and seeds; None where a run is not finished yet."""
    runs = [finished.get(key_of(series, split, seed)) for split in folds for seed in seeds]
    return fmean(tuned_bits(run) for run in runs if run) if all(runs) else None
