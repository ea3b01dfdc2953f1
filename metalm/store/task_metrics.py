"""What trainings measured task by task, brought together: how tasks spread, and two time axes at once.

Points are those of `metrics`. A loss is nats over bytes; tasks count alike in a spread, bytes in a grid.
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from metalm.store.database import Database

PARTS = ("query", "support", "validation")
MAX_COLUMNS = 64  # outer steps, or ranges of them, that a grid tells apart
MAX_POINTS = 250  # of a spread, a run


class TaskMetrics:
    """Readings of the table `metrics` that keep tasks or adaptation steps apart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spread(self, run_ids: Collection[str], *, points: int = MAX_POINTS) -> pd.DataFrame:
        """How the nats per byte of meta-validation tasks are distributed, after the last adaptation step.

        One row a (run, outer step): run, step, tasks, lowest, low, median, high, highest: the smallest, the
        10, 50 and 90 % quantiles and the largest. Of more than `points` outer steps the last of every range
        stays. Values that are not finite are left out.
        """
        return self._database.frame(_SPREAD, [list(run_ids), points])

    def of_task(self, run_ids: Collection[str], task_id: str) -> pd.DataFrame:
        """One meta-validation task over outer steps, after the last adaptation step: run, step, nats, bytes.

        Thinned as a spread is.
        """
        return self._database.frame(_OF_TASK, [list(run_ids), task_id, MAX_POINTS])

    def grid(self, run_id: str, *, columns: int = MAX_COLUMNS) -> pd.DataFrame:
        """The loss by outer step and adaptation step, of each part that is measured at several of the latter.

        One row a (part, range of outer steps, adaptation step): part, first, last (outer steps of the range),
        adaptation_step, nats, bytes (sums), tasks.
        """
        return self._database.frame(_GRID, [list(PARTS), run_id, columns])


# Run ids, points.
_SPREAD = """
WITH costs AS (
    SELECT run, step, task_id, adaptation_step,
        sum(value) FILTER (name = 'validation_nats') / sum(value) FILTER (name = 'validation_bytes') AS cost
    FROM metrics
    WHERE list_contains(?, run) AND name IN ('validation_nats', 'validation_bytes')
    GROUP BY run, step, task_id, adaptation_step
    QUALIFY adaptation_step = max(adaptation_step) OVER (PARTITION BY run, step)
), spreads AS (
    SELECT run, step, count(*) AS tasks, min(cost) AS lowest, quantile_cont(cost, 0.1) AS low,
        median(cost) AS median, quantile_cont(cost, 0.9) AS high, max(cost) AS highest
    FROM costs WHERE isfinite(cost) GROUP BY run, step
), placed AS (
    SELECT *, ntile(?) OVER (PARTITION BY run ORDER BY step) AS range FROM spreads
)
SELECT * EXCLUDE (range) FROM placed
QUALIFY step = max(step) OVER (PARTITION BY run, range) ORDER BY run, step
"""

# Run ids, task id, points.
_OF_TASK = """
WITH sums AS (
    SELECT run, step, adaptation_step, sum(value) FILTER (name = 'validation_nats') AS nats,
        CAST(sum(value) FILTER (name = 'validation_bytes') AS BIGINT) AS bytes
    FROM metrics
    WHERE list_contains(?, run) AND task_id = ? AND name IN ('validation_nats', 'validation_bytes')
    GROUP BY run, step, adaptation_step
    QUALIFY adaptation_step = max(adaptation_step) OVER (PARTITION BY run, step)
), placed AS (
    SELECT *, ntile(?) OVER (PARTITION BY run ORDER BY step) AS range FROM sums WHERE isfinite(nats)
)
SELECT run, step, nats, bytes FROM placed
QUALIFY step = max(step) OVER (PARTITION BY run, range) ORDER BY run, step
"""

# The parts, run id, columns. Ranges are 1, 2, 4, 8 ... outer steps wide, so that they stay while a run grows.
_GRID = """
WITH losses AS (
    SELECT part, step, adaptation_step, task_id,
        sum(value) FILTER (name = part || '_nats') AS nats,
        sum(value) FILTER (name = part || '_bytes') AS bytes
    FROM metrics, (SELECT unnest(?) AS part)
    WHERE run = ? AND name IN (part || '_nats', part || '_bytes')
    GROUP BY part, step, adaptation_step, task_id
), wide AS (
    SELECT *, CAST(pow(2, greatest(0, ceil(log2((max(step) OVER (PARTITION BY part) + 1) / ?)))) AS BIGINT)
        AS width
    FROM losses WHERE isfinite(nats)
)
SELECT part, min(step) AS first, max(step) AS last, adaptation_step, sum(nats) AS nats,
    CAST(sum(bytes) AS BIGINT) AS bytes, count(DISTINCT task_id) AS tasks
FROM wide GROUP BY part, step // width, adaptation_step
WINDOW whole AS (PARTITION BY part)
QUALIFY min(adaptation_step) OVER whole < max(adaptation_step) OVER whole
ORDER BY part, last, adaptation_step
"""
