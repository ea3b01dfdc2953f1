"""The longer queries of `metrics`; what each wants bound stands above it. Curves: see line_queries."""

# Run ids, the four names as a list, step or NULL (twice), by task?, the four names.
ADAPTATION = """
WITH chosen AS (
    SELECT * FROM metrics
    WHERE list_contains(?, run) AND list_contains(?, name) AND (CAST(? AS BIGINT) IS NULL OR step = ?)
    QUALIFY step = max(step) OVER (PARTITION BY run)
)
SELECT run, CASE WHEN ? THEN task_id ELSE '' END AS task_id, step, adaptation_step,
    sum(value) FILTER (name = ?) AS nats,
    CAST(sum(value) FILTER (name = ?) AS BIGINT) AS tokens,
    CAST(sum(value) FILTER (name = ?) AS BIGINT) AS bytes,
    CAST(sum(value) FILTER (name = ?) AS BIGINT) AS chars
FROM chosen GROUP BY ALL ORDER BY run, task_id, adaptation_step
"""

# Run ids, all names?, names.
LAST = """
SELECT run, name, max(step) AS step, arg_max(value, step) AS value FROM metrics
WHERE list_contains(?, run) AND task_id IS NULL AND (? OR list_contains(?, name)) AND isfinite(value)
GROUP BY run, name ORDER BY run, name
"""

# Run ids: the last step of the shortest of these runs; 0 where nothing says so.
SHORTEST = "SELECT coalesce(min(step), 0) FROM runs WHERE list_contains(?, id)"

# Before which step, from which step on, run ids. Two scans with a bound each skip what lies between them; one
# scan with both does not.
SCALARS = """
WITH ends AS (
    SELECT run, name, task_id, adaptation_step FROM metrics WHERE step < ?
    UNION ALL
    SELECT run, name, task_id, adaptation_step FROM metrics WHERE step >= ?
)
SELECT DISTINCT name FROM ends
WHERE task_id IS NULL AND run IN (SELECT unnest(?)) AND adaptation_step IS NULL AND NOT contains(name, '/')
ORDER BY name
"""
