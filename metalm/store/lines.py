"""Lines of curves: how many steps make one of their points, and the coarse levels that are kept of long runs.

A line has a point for each bucket of 1, 2, 4, 8 ... outer steps, as many as it takes to have at most about
`points` of them. Buckets begin at multiples of their width, so that they stay what they are while a run goes
on; its first and its last report are points of their own. A point has the sums of its reports, and those of
the one that costs least and the one that costs most.

Of runs with many steps the buckets of 16, 128 and 1024 steps are kept in the table `coarse`. They are made
once a run has 2,048 new steps: now and then while it trains, or by the first who reads.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import pyarrow as pa

from metalm.store import line_queries as sql
from metalm.store.database import Database, Transaction

LEVELS = (16, 128, 1024)
_ENOUGH_STEPS = 2048  # of fewer, a coarse level would save nothing
_LATE_STEPS = 64
_ENOUGH_POINTS = 200_000
_END = 2**62

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Family:
    """Lines that are read together: the losses of a part, or a scalar with those of single weights."""

    root: str
    part_names: tuple[str, ...] = ()  # of a loss
    weights: str | None = None  # of a scalar: the beginning of the names with a weight behind it
    by_task: bool = False
    task_id: str | None = None

    @property
    def has_levels(self) -> bool:
        """Tasks have none: one of them has few of the rows."""
        return not self.by_task

    def values(self, wanted: Sequence[tuple]) -> list:
        """What the query of its reports wants bound: of these runs, as `line_queries` has them."""
        if self.part_names:
            names = list(self.part_names)
            return [*_columns(wanted), self.by_task, *names, names, self.task_id, self.task_id]
        return [*_columns(wanted), self.root, self.weights]


class Lines:
    """Reads the lines of `metrics`, and keeps `coarse` up to date."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._new: dict[
            str, int
        ] = {}  # run -> its points since its coarse levels were last brought up to date
        self._families: dict[str, set[Family]] = {}

    def added(self, run_id: str, families: Sequence[Family | None]) -> None:
        """Takes note of points of a run, by their family; after many its coarse levels are extended soon."""
        with self._lock:
            known = self._families.setdefault(run_id, set())
            known.update(family for family in families if family is not None)
            self._new[run_id] = self._new.get(run_id, 0) + len(families)
            if self._new[run_id] < _ENOUGH_POINTS:
                return
            late = self._families.pop(run_id)
            del self._new[run_id]

        def build(transaction: Transaction) -> None:
            for family in late:
                extend(transaction, run_id, family)

        self._database.write_later(build)

    def read(
        self, run_ids: Collection[str], family: Family, points: int, spans: Mapping[str, Span] | None = None
    ) -> pd.DataFrame:
        """The points of these runs, or those within `spans`: run id -> first and last step.

        One row a point, in order: run, name, task_id, adaptation_step, first_step, step (its last), trained,
        wall_seconds, reports, dropped (of the line, not finite), nats, tokens, bytes, chars, and these four
        with low_ and high_ before them.
        """
        runs = list(spans if spans is not None else run_ids)
        ends = self._ends(runs, family.root) if family.has_levels else {}
        last: dict[str, int] = {}
        if spans is None:
            last, ends = self._up_to_date(runs, family, ends)
        wanted = []
        for run in runs:
            begin, end = (spans or {}).get(run, (0, last.get(run, 0)))
            width = width_of(end - begin + 1, points)
            level = max((each for each in LEVELS if each <= width), default=0) if ends.get(run) else 0
            raw_begin = max(begin, ends[run]) if level else begin
            raw_end = end if spans else _END
            wanted.append((run, raw_begin, raw_end, level, begin, min(ends.get(run, 0), raw_end + 1), width))
        query = sql.LOSS_LINES if family.part_names else sql.SCALAR_LINES
        return self._database.frame(query, [*family.values(wanted), family.root, points])

    def reports(
        self, run_ids: Collection[str], family: Family, spans: Mapping[str, Span] | None = None
    ) -> pa.Table:
        """Every report of losses, those that are not finite too; see `Metrics.reports`."""
        chosen = spans if spans is not None else dict.fromkeys(run_ids, (0, _END))
        wanted = [(run, begin, end, 0, 0, 0, 1) for run, (begin, end) in chosen.items()]
        return self._database.table(sql.EVERY_LOSS, family.values(wanted))

    def _up_to_date(
        self, runs: Sequence[str], family: Family, ends: dict[str, int]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Run id -> its last step, and where its coarse levels end; those that lag behind are extended."""
        begins = [ends.get(run, 0) for run in runs]
        last = dict(self._database.rows(sql.LAST_STEPS, [runs, begins, min(begins, default=0)]))
        late = [run for run in runs if _is_late(ends.get(run, 0), last.get(run, 0))]
        if late and family.has_levels:
            for run in late:  # a transaction each, or all of them would have to fit the memory
                self._database.write(partial(extend, run_id=run, family=family))
            ends = self._ends(runs, family.root)
        return {run: last.get(run, ends.get(run, 0)) for run in runs}, ends

    def _ends(self, runs: Sequence[str], root: str) -> dict[str, int]:
        return dict(self._database.rows(sql.BUILT, [list(runs), root]))


def width_of(steps: int, points: int) -> int:
    """How many steps make a point of a line of `steps` steps: a power of two, for at most `points`."""
    return 2 ** max(0, math.ceil(math.log2(max(steps, 1) / max(points, 1))))


def extend(transaction: Transaction, run_id: str, family: Family) -> None:
    """Adds the buckets that are complete to the coarse levels of a run."""
    rows = transaction.execute(sql.BUILT, [[run_id], family.root])
    begin = rows[0][1] if rows else 0
    rows = transaction.execute(sql.LAST_STEPS, [[run_id], [begin], begin])
    last = rows[0][1] if rows else 0
    if not _is_late(begin, last):
        return
    end = _complete(last)
    wanted = [(run_id, begin, end - 1, 0, 0, 0, 1)]
    query = sql.BUILD_LOSS if family.part_names else sql.BUILD_SCALAR
    transaction.execute(query, [*family.values(wanted), family.root])
    transaction.execute("DELETE FROM coarse_ends WHERE run = ? AND root = ?", [run_id, family.root])
    transaction.execute("INSERT INTO coarse_ends VALUES (?, ?, ?)", [run_id, family.root, end])


def forget(transaction: Transaction, run_id: str, after_step: int) -> None:
    """Takes from the coarse levels what a run did after a step, and at it: it will do that again."""
    end = after_step - after_step % LEVELS[-1]
    transaction.execute("DELETE FROM coarse WHERE run = ? AND last_step >= ?", [run_id, end])
    transaction.execute("UPDATE coarse_ends SET end_step = least(end_step, ?) WHERE run = ?", [end, run_id])


def _is_late(end: int, last_step: int) -> bool:
    return _complete(last_step) - end >= _ENOUGH_STEPS


def _complete(last_step: int) -> int:
    """Before which step no number is to come any more: samples of the machine follow their report."""
    return max(last_step - _LATE_STEPS, 0) // LEVELS[-1] * LEVELS[-1]


def _columns(rows: Sequence[tuple]) -> list[list]:
    return [list(column) for column in zip(*rows, strict=True)] or [[]] * 7
