"""The runs that ship with metalm: what there is to look at before anybody has trained one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from metalm.home.samples import SAMPLE_TAG
from metalm.store.run_heads import RunHead
from metalm.store.runs import Run

AnyRun = TypeVar("AnyRun", Run, RunHead)


def of(runs: Iterable[AnyRun]) -> list[AnyRun]:
    """Those that shipped, oldest first: the meta-trained one before its control."""
    return sorted((run for run in runs if SAMPLE_TAG in run.tags), key=lambda run: run.created_at)


def are_all(runs: Iterable[Run | RunHead]) -> bool:
    """None of the runs was trained here; so it is, too, when there is none."""
    return all(SAMPLE_TAG in run.tags for run in runs)
