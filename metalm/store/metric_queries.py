"""The longer queries of `metrics`. Curves are thinned as that module says; what each wants bound stands above
it. `compute` is what x counts where x is itself a scalar of the run, such as gradient evaluations."""

# Run ids, x, the four names of the part, by task?, run ids, the four names as a list, task id or NULL
# (twice), x, points that need no thinning, buckets.
LOSS_CURVE = """
WITH compute AS (
    SELECT run, step, max(value) AS spent FROM metrics
    WHERE list_contains(?, run) AND name = ? AND task_id IS NULL GROUP BY run, step
), sums AS (
    SELECT run, step, adaptation_step, any_value(tokens) AS trained, any_value(wall_seconds) AS wall_seconds,
        sum(value) FILTER (name = ?) AS nats,
        CAST(sum(value) FILTER (name = ?) AS BIGINT) AS tokens,
        CAST(sum(value) FILTER (name = ?) AS BIGINT) AS bytes,
        CAST(sum(value) FILTER (name = ?) AS BIGINT) AS chars,
        CASE WHEN ? THEN task_id ELSE '' END AS task_id
    FROM metrics
    WHERE list_contains(?, run) AND list_contains(?, name)
        AND (CAST(? AS VARCHAR) IS NULL OR task_id = CAST(? AS VARCHAR))
    GROUP BY ALL
), reports AS (
    SELECT *, nats / greatest(bytes, 1) AS height, count(*) FILTER (NOT isfinite(nats)) OVER line AS dropped
    FROM sums
    WINDOW line AS (PARTITION BY run, task_id)
    QUALIFY adaptation_step = max(adaptation_step) OVER (PARTITION BY run, task_id, step)
), placed AS (
    SELECT reports.*, CASE ? WHEN 'step' THEN step WHEN 'tokens' THEN trained
        WHEN 'wall_seconds' THEN wall_seconds ELSE spent END AS x
    FROM reports LEFT JOIN compute USING (run, step)
), finite AS (
    SELECT *, count(*) OVER line <= ? AS is_short,
        step // CAST(pow(2, greatest(0, ceil(log2((max(step) OVER line + 1) / ?)))) AS BIGINT) AS bucket
    FROM placed WHERE isfinite(nats) AND x IS NOT NULL
    WINDOW line AS (PARTITION BY run, task_id)
)
SELECT run, task_id, x, step, adaptation_step, nats, tokens, bytes, chars, dropped FROM finite
WINDOW part AS (PARTITION BY run, task_id, bucket)
QUALIFY is_short OR step = max(step) OVER part OR step = arg_min(step, height) OVER part
    OR step = arg_max(step, height) OVER part
ORDER BY run, task_id, step
"""

# Run ids, x, run ids, the scalar's name, the beginning of the names with a weight behind it or NULL, x,
# points that need no thinning, buckets.
SCALAR_CURVE = """
WITH compute AS (
    SELECT run, step, max(value) AS spent FROM metrics
    WHERE list_contains(?, run) AND name = ? AND task_id IS NULL GROUP BY run, step
), steps AS (
    SELECT run, name, adaptation_step, step,
        any_value(tokens) AS tokens, any_value(wall_seconds) AS wall_seconds,
        avg(value) FILTER (isfinite(value)) AS value, count(*) FILTER (NOT isfinite(value)) AS lost
    FROM metrics WHERE list_contains(?, run) AND task_id IS NULL
        AND (name = ? OR starts_with(name, CAST(? AS VARCHAR)))
    GROUP BY run, name, adaptation_step, step
), placed AS (
    SELECT steps.*, CASE ? WHEN 'step' THEN step WHEN 'tokens' THEN tokens
        WHEN 'wall_seconds' THEN wall_seconds ELSE spent END AS x
    FROM steps LEFT JOIN compute USING (run, step)
), finite AS (
    SELECT *, CAST(sum(lost) OVER line AS BIGINT) AS dropped, count(value) OVER line <= ? AS is_short,
        step // CAST(pow(2, greatest(0, ceil(log2((max(step) OVER line + 1) / ?)))) AS BIGINT) AS bucket
    FROM placed WHERE x IS NOT NULL
    WINDOW line AS (PARTITION BY run, name, adaptation_step)
)
SELECT run, name, adaptation_step, x, step, value, dropped FROM finite WHERE value IS NOT NULL
WINDOW part AS (PARTITION BY run, name, adaptation_step, bucket)
QUALIFY is_short OR step = max(step) OVER part OR step = arg_min(step, value) OVER part
    OR step = arg_max(step, value) OVER part
ORDER BY run, name, adaptation_step, step
"""

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
