"""What evaluations say about single tasks: every result on one task, and the results of all runs on a split.

Rows are those of `evaluations`: of each run and method the newest count, at one checkpoint with one
adaptation, pooled over seeds and draws. Those of runs in the bin are left out.
"""

from __future__ import annotations

import pandas as pd

from metalm.store.database import Database


class TaskResults:
    """Readings of the table `evaluations` that keep tasks apart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> tuple:
        """What changes whenever a result, or a run or split that it is about, comes, goes or is renamed."""
        return self._database.rows(_VERSION)[0]

    def of_task(self, split_id: str, task_id: str) -> pd.DataFrame:
        """Every result on one task of a split, baselines' too.

        One row a (run, method, support size, adaptation step): run_id, run, track, method, checkpoint_step,
        adaptation (JSON text), support_bytes, adaptation_step, sums of nats, tokens, bytes and chars, scores
        (how many were added), seen.
        """
        return self._database.frame(_OF_TASK, [split_id, task_id])

    def places(self, split_id: str) -> pd.DataFrame:
        """What of a split the runs were evaluated on by their own adaptation, the most first.

        One row a (role, support size): role, support_bytes, runs, tasks.
        """
        return self._database.frame(_PLACES, [split_id])

    def by_run(self, split_id: str, role: str, support_bytes: int) -> pd.DataFrame:
        """The last step's results of every run's own adaptation, a run a row, less those on seen tasks.

        run_id, run, positions (of tasks in the split), nats, bytes: lists of equal length.
        """
        return self._database.frame(_BY_RUN, [split_id, role, support_bytes, split_id])

    def checkpoints(self, run_id: str, split_id: str, role: str, support_bytes: int) -> pd.DataFrame:
        """A run's own results at each evaluated checkpoint: step, adaptation_step, nats, bytes, tasks.

        step: the checkpoint's. Only of the adaptation that was used last, and over the tasks that have a
        result at every checkpoint and step: else they would differ by their tasks.
        """
        return self._database.frame(_CHECKPOINTS, [run_id, split_id, role, support_bytes])


_VERSION = """
SELECT count(*), max(created_at), (SELECT bit_xor(hash(id, name, deleted_at)) FROM runs),
    (SELECT bit_xor(hash(id, name)) FROM splits)
FROM evaluations
"""

# Split id, task id.
_OF_TASK = """
WITH versions AS (
    SELECT e.*, r.name AS run,
        max(e.created_at) OVER (PARTITION BY run_id, method, checkpoint_step, e.adaptation) AS made
    FROM evaluations e LEFT JOIN runs r ON r.id = e.run_id
    WHERE e.split_id = ? AND task_id = ? AND r.deleted_at IS NULL
), newest AS (
    SELECT * FROM versions
    QUALIFY dense_rank() OVER (PARTITION BY run_id, method
        ORDER BY checkpoint_step DESC NULLS LAST, made DESC, CAST(adaptation AS VARCHAR)) = 1
)
SELECT n.run_id, any_value(n.run) AS run, n.track, n.method, any_value(n.checkpoint_step) AS checkpoint_step,
    any_value(CAST(n.adaptation AS VARCHAR)) AS adaptation, n.support_bytes, n.adaptation_step,
    sum(n.nats) AS nats, CAST(sum(n.tokens) AS BIGINT) AS tokens, CAST(sum(n.bytes) AS BIGINT) AS bytes,
    CAST(sum(n.chars) AS BIGINT) AS chars, count(*) AS scores, bool_or(n.seen) AS seen
FROM newest n
GROUP BY n.run_id, n.track, n.method, n.support_bytes, n.adaptation_step
ORDER BY n.track DESC, n.run_id IS NULL, run, n.method, n.support_bytes, n.adaptation_step
"""

# Split id.
_PLACES = """
SELECT role, support_bytes, count(DISTINCT run_id) AS runs, count(DISTINCT task_id) AS tasks
FROM evaluations e JOIN runs r ON r.id = e.run_id AND r.deleted_at IS NULL
WHERE e.split_id = ? AND method = 'adapt'
GROUP BY role, support_bytes ORDER BY role = 'meta-test', runs DESC, support_bytes DESC
"""

# Split id, role, support bytes, split id.
_BY_RUN = """
WITH chosen AS (
    SELECT run_id, task_id, checkpoint_step, CAST(adaptation AS VARCHAR) AS adaptation, adaptation_step,
        nats, bytes, seen, created_at
    FROM evaluations WHERE split_id = ? AND role = ? AND support_bytes = ? AND method = 'adapt'
), versions AS (
    SELECT run_id, checkpoint_step, adaptation, max(adaptation_step) AS adaptation_step
    FROM chosen GROUP BY run_id, checkpoint_step, adaptation
    QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY checkpoint_step DESC, max(created_at) DESC) = 1
), sums AS (
    SELECT c.run_id, c.task_id, sum(c.nats) AS nats, sum(c.bytes) AS bytes
    FROM chosen c JOIN versions v USING (run_id, adaptation, adaptation_step)
    WHERE c.checkpoint_step IS NOT DISTINCT FROM v.checkpoint_step
    GROUP BY c.run_id, c.task_id HAVING NOT bool_or(c.seen)
)
SELECT s.run_id, any_value(r.name) AS run, list(m.position) AS positions, list(s.nats) AS nats,
    list(CAST(s.bytes AS DOUBLE)) AS bytes
FROM sums s JOIN split_tasks m ON m.task_id = s.task_id AND m.split_id = ?
    JOIN runs r ON r.id = s.run_id AND r.deleted_at IS NULL
GROUP BY s.run_id ORDER BY any_value(r.created_at) DESC, run
"""

# Run id, split id, role, support bytes.
_CHECKPOINTS = """
WITH own AS (
    SELECT *, last_value(CAST(adaptation AS VARCHAR)) OVER (ORDER BY created_at ROWS BETWEEN UNBOUNDED
        PRECEDING AND UNBOUNDED FOLLOWING) AS newest
    FROM evaluations
    WHERE run_id = ? AND split_id = ? AND role = ? AND support_bytes = ? AND method = 'adapt' AND NOT seen
), chosen AS (
    SELECT *, (checkpoint_step, adaptation_step) AS cell FROM own WHERE CAST(adaptation AS VARCHAR) = newest
), whole AS (
    SELECT task_id FROM chosen GROUP BY task_id
    HAVING count(DISTINCT cell) = (SELECT count(DISTINCT cell) FROM chosen)
)
SELECT checkpoint_step AS step, adaptation_step, sum(nats) AS nats, CAST(sum(bytes) AS BIGINT) AS bytes,
    count(DISTINCT task_id) AS tasks
FROM chosen SEMI JOIN whole USING (task_id) GROUP BY ALL ORDER BY ALL
"""
