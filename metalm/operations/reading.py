"""Operations that give whole tables to programs: runs, curves, scores, and what a run is made ready from.

A cell without a number is None, a time is ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metalm.operations.numbers import finite

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager
    from metalm.store.metrics import Axis
    from metalm.text.splits import Role

Line = dict[str, Any]
PARTS = ("support", "query", "validation")
_ALL = 1 << 52  # more points than any line has


def table(home: Home, _jobs: JobManager, *, archived: bool = False) -> Iterator[Line]:
    """A line a run, newest first: the columns of `metalm.store.runs.Runs.table`."""
    yield from _lines(home.run_table(archived=archived))


def curve(
    home: Home,
    _jobs: JobManager,
    *,
    runs: Sequence[str],
    name: str,
    x: Axis = "step",
    points: int | None = None,
) -> Iterator[Line]:
    """A line a point. name: support, query or validation, whose losses are summed nats with their counts
    after the last adaptation step; or a scalar, with `value`. points: about so many a line; None is all.
    """
    home.store.flush()
    run_ids = [home.run(run).id for run in runs]
    read = home.store.metrics.curve if name in PARTS else home.store.metrics.scalar_curve
    yield from _lines(read(run_ids, name, x=x, points=_ALL if points is None else points))


def evaluations(
    home: Home,
    _jobs: JobManager,
    *,
    runs: Sequence[str] | None = None,
    split: str | None = None,
    role: Role | None = None,
) -> Iterator[Line]:
    """A line a score of these runs (None: all) and of baselines: see `metalm.store.evaluations`."""
    home.store.flush()
    yield from _lines(home.evaluations(runs, split=split, role=role))


def recipe(home: Home, _jobs: JobManager, *, run: str) -> Iterator[Line]:
    """One line: all that the store says of a `run`, and its `tokenizer`, None before it has one."""
    found = home.run(run)
    told = {name: _plain(value) for name, value in asdict(found).items()}
    tokenizer = home.store.tokenizers.get(found.tokenizer).to_json() if found.tokenizer else None
    yield {"run": told, "tokenizer": tokenizer}


def _lines(frame: pd.DataFrame) -> Iterator[Line]:
    for record in frame.to_dict("records"):
        yield {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    """A cell as JSON knows it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple | dict):
        return list(value) if isinstance(value, tuple) else value
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    value = value.item() if isinstance(value, np.generic) else value
    return finite(value) if isinstance(value, float) else value
