"""The points that trainings leave, and the curves that are read from them.

Task and adaptation step are columns. A loss is four points, `<part>_nats`, `<part>_tokens`, `<part>_bytes`
and `<part>_chars`, so that curves add what was summed and nothing is averaged twice. Anything else is a
scalar; one about a single weight has that weight's name behind a slash (`drift/rnn.weight_hh_l0`).

Curves have at most about `points` points a line, whatever the number of reports: `metalm.store.lines` says
how. Reports that are not finite are left out and counted in `dropped`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from metalm.store.curves import MAX_POINTS, Axis, Curves, Within
from metalm.store.database import Database
from metalm.store.line_queries import NOT_FINITE
from metalm.store.lines import Family, Lines
from metalm.store.metric_queries import ADAPTATION, LAST, SCALARS, SHORTEST

COUNTS = ("nats", "tokens", "bytes", "chars")
_ENDS = 2048  # steps, in which every scalar of a run is told at least once


class Point(NamedTuple):
    """One number of a run. tokens, wall_seconds: spent on training when it was measured."""

    step: int
    tokens: int
    wall_seconds: float
    name: str
    task_id: str | None
    adaptation_step: int | None
    value: float


class Metrics:
    """The table `metrics`. What is added can be read within a second, or after `Store.flush`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines = Lines(database)
        self._curves = Curves(database, self._lines)

    def add(self, run_id: str, points: Iterable[Point]) -> None:
        """Points of a run, written soon."""
        # What is no number is refused here: in the buffer it would hold up every later write.
        rows = [(run_id, *point._replace(value=float(point.value))) for point in points]
        self._database.buffer("metrics", ("run", *Point._fields), rows)
        self._lines.added(run_id, [_family(row[4], row[5]) for row in rows])

    # ---- curves ----

    def curve(
        self,
        run_ids: Collection[str],
        part: str,
        *,
        x: Axis = "step",
        points: int = MAX_POINTS,
        within: Within | None = None,
    ) -> pd.DataFrame:
        """The loss of a part, summed over the tasks of a report, after its last adaptation step.

        One row a (run, point): run, x, the columns of `Lines.read`.
        """
        return self._curves.read(run_ids, _of_part(part), x, points, within).drop(columns=["name", "task_id"])

    def task_curve(
        self,
        run_ids: Collection[str],
        part: str,
        *,
        task_id: str | None = None,
        x: Axis = "step",
        points: int = MAX_POINTS,
        within: Within | None = None,
    ) -> pd.DataFrame:
        """The same, task by task, with the column task_id; `points` a line of one task."""
        family = replace(_of_part(part), by_task=True, task_id=task_id)
        return self._curves.read(run_ids, family, x, points, within).drop(columns="name")

    def scalar_curve(
        self,
        run_ids: Collection[str],
        name: str,
        *,
        x: Axis = "step",
        points: int = MAX_POINTS,
        within: Within | None = None,
    ) -> pd.DataFrame:
        """A scalar (`lr`, `cpu_percent` ...): run, x, first_step, step, reports, dropped, value, low, high.

        value: the mean of the point's reports; low, high: the least and the greatest of them.
        """
        curve = self._curves.read(run_ids, Family(root=name), x, points, within)
        return _valued(curve).drop(columns=["name", "adaptation_step"])

    def measure_curve(
        self,
        run_ids: Collection[str],
        name: str,
        *,
        x: Axis = "step",
        points: int = MAX_POINTS,
        within: Within | None = None,
    ) -> pd.DataFrame:
        """The scalar `name` by weight and adaptation step; `points` a line of one (run, weight, step).

        One row a (run, weight, adaptation step, point): run, weight ("" where it is about no single one),
        adaptation_step (missing where it is about none), then as `scalar_curve`.
        """
        curve = _valued(self._curves.read(run_ids, Family(root=name, weights=f"{name}/"), x, points, within))
        curve.insert(1, "weight", [measure.partition("/")[2] for measure in curve.pop("name")])
        return curve

    def not_finite(self, run_ids: Collection[str], names: Collection[str]) -> pd.DataFrame:
        """Every number of these names that is none: run, name, task_id, adaptation_step, step, value ..."""
        return self._database.frame(NOT_FINITE, [list(run_ids), list(names)])

    def reports(
        self,
        run_ids: Collection[str],
        part: str,
        *,
        task_id: str | None = None,
        x: Axis = "step",
        within: Within | None = None,
    ) -> pa.Table:
        """The loss of a part, not one report left out: run, task_id ("" for their sum), step, tokens_trained,
        wall_seconds, adaptation_step, nats, tokens, bytes, chars.

        within: only the reports of points whose x lies in this range, and those of a curve's points beside.
        """
        family = replace(_of_part(part), by_task=task_id is not None, task_id=task_id)
        return self._curves.reports(run_ids, family, x, within)

    def adaptation_curve(
        self, run_ids: Collection[str], part: str, *, step: int | None = None, by_task: bool = False
    ) -> pd.DataFrame:
        """The loss over adaptation steps, at the last report that has the part, or at outer step `step`.

        One row a (run, adaptation step), or a (run, task_id, adaptation step): run, task_id, step,
        adaptation_step, nats, tokens, bytes, chars.
        """
        names = list(_names(part))
        frame = self._database.frame(ADAPTATION, [list(run_ids), names, step, step, by_task, *names])
        return frame if by_task else frame.drop(columns="task_id")

    def last(self, run_ids: Collection[str], names: Collection[str] | None = None) -> pd.DataFrame:
        """The last value of each scalar: run, name, step, value."""
        return self._database.frame(LAST, [list(run_ids), names is None, list(names or [])])

    def names(self, run_ids: Collection[str]) -> list[str]:
        """The names of all points of these runs."""
        rows = self._database.rows(
            "SELECT DISTINCT name FROM metrics WHERE list_contains(?, run) ORDER BY name", [list(run_ids)]
        )
        return [name for (name,) in rows]

    def scalars(self, run_ids: Collection[str]) -> list[str]:
        """The names of the numbers that are about a whole report: no task, no weight, no adaptation step.

        Of long runs the first and the last reports are looked at, whatever stands between them.
        """
        ids = list(run_ids)
        [(late,)] = self._database.rows(SHORTEST, [ids])
        return [name for (name,) in self._database.rows(SCALARS, [_ENDS, max(_ENDS, late - _ENDS), ids])]

    def measured(self, run_ids: Collection[str]) -> dict[str, set[str]]:
        """Run id -> the names of its scalars, without the weight behind the slash."""
        found: dict[str, set[str]] = {run_id: set() for run_id in run_ids}
        for run_id, name in self._database.rows(
            "SELECT DISTINCT run, split_part(name, '/', 1) FROM metrics "
            "WHERE list_contains(?, run) AND task_id IS NULL",
            [list(run_ids)],
        ):
            found[run_id].add(name)
        return found

    # ---- whole runs ----

    def table(self, run_id: str) -> pa.Table:
        """Every point of a run as it was added: the fields of `Point`."""
        return self._database.table(
            "SELECT step, tokens, wall_seconds, name, task_id, adaptation_step, value FROM metrics "
            "WHERE run = ? ORDER BY step, name, task_id, adaptation_step",
            [run_id],
        )

    def count(self, run_id: str) -> int:
        """How many points a run has."""
        return self._database.rows("SELECT count(*) FROM metrics WHERE run = ?", [run_id])[0][0]


def _names(part: str) -> tuple[str, ...]:
    return tuple(f"{part}_{count}" for count in COUNTS)


def _family(name: str, task_id: str | None) -> Family | None:
    """The lines that a point belongs to; the counts of a loss belong to its nats."""
    if task_id is None:
        root = name.partition("/")[0]
        return Family(root=root, weights=f"{root}/")
    part = name.removesuffix("_nats")
    return _of_part(part) if part != name else None


def _of_part(part: str) -> Family:
    return Family(root=f"{part}_nats", part_names=_names(part))


def _valued(curve: pd.DataFrame) -> pd.DataFrame:
    """Scalars as such: what was written as the nats of one byte is the value."""
    of_counts = [f"{end}_{count}" for end in ("low", "high") for count in COUNTS[1:]]
    values = {
        "value": curve["nats"] / curve["bytes"],
        "low": curve.pop("low_nats"),
        "high": curve.pop("high_nats"),
    }
    return curve.drop(columns=["task_id", *COUNTS, *of_counts]).assign(**values)
