"""The points that trainings leave, and the curves that are read from them.

Task and adaptation step are columns. A loss is four points, `<part>_nats`, `<part>_tokens`, `<part>_bytes`
and `<part>_chars`, so that curves add what was summed and nothing is averaged twice. Anything else is a
scalar; one about a single weight has that weight's name behind a slash (`drift/rnn.weight_hh_l0`).

Two scalars also serve as x axes: `gradient_evaluations` and `flops` are what a run had spent by then. A run
without them has no curve over them.

Curves are thinned to about `points` a line where there are more: of every bucket of 1, 2, 4, 8 ... outer
steps the smallest, the largest and the last point stay. Points that are not finite are left out and counted
in `dropped`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

import pandas as pd
import pyarrow as pa

from metalm.store.database import Database
from metalm.store.metric_queries import ADAPTATION, LAST, LOSS_CURVE, SCALAR_CURVE

Axis = Literal["step", "tokens", "wall_seconds", "gradient_evaluations", "flops"]
COUNTS = ("nats", "tokens", "bytes", "chars")
MAX_POINTS = 500


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

    def add(self, run_id: str, points: Iterable[Point]) -> None:
        """Points of a run, written soon."""
        # What is no number is refused here: in the buffer it would hold up every later write.
        rows = [(run_id, *point._replace(value=float(point.value))) for point in points]
        self._database.buffer("metrics", ("run", *Point._fields), rows)

    # ---- curves ----

    def curve(
        self, run_ids: Collection[str], part: str, *, x: Axis = "step", points: int = MAX_POINTS
    ) -> pd.DataFrame:
        """The loss of a part, summed over the tasks of a report, after its last adaptation step.

        One row a (run, report): run, x, step, adaptation_step, nats, tokens, bytes, chars, dropped.
        """
        curve = self._loss_curve(run_ids, part, None, x, points, by_task=False)
        return curve.drop(columns="task_id")

    def task_curve(
        self,
        run_ids: Collection[str],
        part: str,
        *,
        task_id: str | None = None,
        x: Axis = "step",
        points: int = MAX_POINTS,
    ) -> pd.DataFrame:
        """The same, task by task, with the column task_id; `points` a line of one task."""
        return self._loss_curve(run_ids, part, task_id, x, points, by_task=True)

    def _loss_curve(
        self, run_ids: Collection[str], part: str, task_id: str | None, x: Axis, points: int, *, by_task: bool
    ) -> pd.DataFrame:
        runs, names = list(run_ids), _names(part)
        values = [runs, x, *names, by_task, runs, names, task_id, task_id, x, *_thinning(points)]
        return self._database.frame(LOSS_CURVE, values)

    def adaptation_curve(
        self, run_ids: Collection[str], part: str, *, step: int | None = None, by_task: bool = False
    ) -> pd.DataFrame:
        """The loss over adaptation steps, at the last report that has the part, or at outer step `step`.

        One row a (run, adaptation step), or a (run, task_id, adaptation step): run, task_id, step,
        adaptation_step, nats, tokens, bytes, chars.
        """
        values = [list(run_ids), _names(part), step, step, by_task, *_names(part)]
        frame = self._database.frame(ADAPTATION, values)
        return frame if by_task else frame.drop(columns="task_id")

    def scalar_curve(
        self, run_ids: Collection[str], name: str, *, x: Axis = "step", points: int = MAX_POINTS
    ) -> pd.DataFrame:
        """A scalar (`lr`, `gradient_norm`, `cpu_percent` ...): run, x, step, value, dropped."""
        values = [list(run_ids), x, list(run_ids), name, None, x, *_thinning(points)]
        curve = self._database.frame(SCALAR_CURVE, values)
        return curve.drop(columns=["name", "adaptation_step"])

    def measure_curve(
        self, run_ids: Collection[str], name: str, *, x: Axis = "step", points: int = MAX_POINTS
    ) -> pd.DataFrame:
        """The scalar `name` by weight and adaptation step; `points` a line of one (run, weight, step).

        One row a (run, weight, adaptation step, report): run, weight ("" where it is about no single one),
        adaptation_step (missing where it is about none), x, step, value, dropped.
        """
        values = [list(run_ids), x, list(run_ids), name, f"{name}/", x, *_thinning(points)]
        curve = self._database.frame(SCALAR_CURVE, values)
        curve.insert(1, "weight", [measure.partition("/")[2] for measure in curve.pop("name")])
        return curve

    def last(self, run_ids: Collection[str], names: Collection[str] | None = None) -> pd.DataFrame:
        """The last value of each scalar: run, name, step, value."""
        return self._database.frame(LAST, [list(run_ids), names is None, list(names or [])])

    def names(self, run_ids: Collection[str]) -> list[str]:
        """The names of all points of these runs."""
        rows = self._database.rows(
            "SELECT DISTINCT name FROM metrics WHERE list_contains(?, run) ORDER BY name", [list(run_ids)]
        )
        return [name for (name,) in rows]

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


def _names(part: str) -> list[str]:
    return [f"{part}_{count}" for count in COUNTS]


def _thinning(points: int) -> list[int]:
    """How many points need no thinning, and into how many buckets more are put."""
    return [points, max(points // 3, 1)]
