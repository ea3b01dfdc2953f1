"""The queries behind curves. What each wants bound is said above it, in order.

A *piece* is what is known of some neighbouring reports of a line: sums, the report that costs least by byte
and the one that costs most, how many are finite and how many are not. Of pieces one gets larger pieces. A
scalar is a loss of one byte, token and character a report, so that one query draws both.
"""

# Seven lists, one entry a run: id; first and last step to be read from `metrics`; the coarse level (0: none),
# its first step and the step before which it ends; how many steps a piece of the answer has.
_WANTED = """
WITH wanted AS (
    SELECT unnest(?) AS run, unnest(?) AS begin_step, unnest(?) AS end_step, unnest(?) AS level,
        unnest(?) AS coarse_begin, unnest(?) AS coarse_end, unnest(?) AS width
),
"""

# By task?, the four names of the part, the four names as a list, task id or NULL (twice).
_LOSS_REPORTS = """
sums AS (
    SELECT m.run, CASE WHEN ? THEN task_id ELSE '' END AS task_id, adaptation_step, step,
        any_value(tokens) AS trained, any_value(wall_seconds) AS wall_seconds,
        sum(value) FILTER (name = ?) AS nats, sum(value) FILTER (name = ?) AS tokens,
        sum(value) FILTER (name = ?) AS bytes, sum(value) FILTER (name = ?) AS chars
    FROM metrics m JOIN wanted w ON m.run = w.run AND step BETWEEN begin_step AND end_step
    WHERE name IN (SELECT unnest(?)) AND (CAST(? AS VARCHAR) IS NULL OR task_id = ?)
    GROUP BY ALL
), latest AS (
    SELECT run, task_id, step, max(adaptation_step) AS adaptation_step FROM sums GROUP BY run, task_id, step
), reports AS (
    SELECT run, '' AS name, task_id, NULL::INTEGER AS line_step, adaptation_step, step, trained, wall_seconds,
        nats, tokens, bytes, chars
    FROM sums JOIN latest USING (run, task_id, step, adaptation_step)
),
"""

# The scalar's name, the beginning of the names with a weight behind it or NULL.
_SCALAR_REPORTS = """
reports AS (
    SELECT m.run, name, '' AS task_id, adaptation_step AS line_step, adaptation_step, step,
        any_value(tokens) AS trained, any_value(wall_seconds) AS wall_seconds,
        coalesce(avg(value) FILTER (isfinite(value)), 'nan'::DOUBLE) AS nats,
        1.0 AS tokens, 1.0 AS bytes, 1.0 AS chars
    FROM metrics m JOIN wanted w ON m.run = w.run AND step BETWEEN begin_step AND end_step
    WHERE m.task_id IS NULL AND (name = ? OR starts_with(name, CAST(? AS VARCHAR)))
    GROUP BY m.run, name, adaptation_step, step
),
"""

_RAW = """
raw AS (
    SELECT run, name, task_id, line_step, adaptation_step, step AS first_step, step AS last_step, trained,
        wall_seconds, isfinite(nats)::BIGINT AS reports, 1 - isfinite(nats)::BIGINT AS lost,
        nats, tokens, bytes, chars, {nats: nats, tokens: tokens, bytes: bytes, chars: chars} AS low,
        {nats: nats, tokens: tokens, bytes: bytes, chars: chars} AS high
    FROM reports
),
"""

_MERGED = """
    max(adaptation_step) AS adaptation_step, min(first_step) AS first_step, max(last_step) AS last_step,
    max(trained) AS trained, max(wall_seconds) AS wall_seconds,
    sum(reports)::BIGINT AS reports, sum(lost)::BIGINT AS lost,
    sum(nats) FILTER (reports > 0) AS nats, sum(tokens) FILTER (reports > 0) AS tokens,
    sum(bytes) FILTER (reports > 0) AS bytes, sum(chars) FILTER (reports > 0) AS chars,
    arg_min(low, low.nats / greatest(low.bytes, 1)) FILTER (reports > 0) AS low,
    arg_max(high, high.nats / greatest(high.bytes, 1)) FILTER (reports > 0) AS high
"""

# The root of the lines among the coarse levels, how many reports of a line need no thinning. The first and
# the last report of a line are pieces of their own.
_READ = """
pieces AS (
    SELECT * FROM raw
    UNION ALL
    SELECT c.run, name, '', line_step, adaptation_step, first_step, last_step, trained, wall_seconds,
        reports, lost, nats, tokens, bytes, chars, low, high
    FROM coarse c JOIN wanted w
        ON c.run = w.run AND c.level = w.level AND first_step >= coarse_begin AND last_step < coarse_end
    WHERE root = ?
), placed AS (
    SELECT pieces.*, width, min(first_step) OVER line AS line_first, max(last_step) OVER line AS line_last,
        sum(reports + lost) OVER line <= ? AS is_short, sum(lost) OVER line AS line_lost
    FROM pieces JOIN wanted USING (run)
    WINDOW line AS (PARTITION BY run, name, task_id, line_step)
), merged AS (
    SELECT run, name, task_id, line_step, max(line_lost)::BIGINT AS dropped, {merged}
    FROM placed
    GROUP BY run, name, task_id, line_step, CASE WHEN is_short THEN first_step
        WHEN first_step = line_first THEN -1 WHEN last_step = line_last THEN -2 ELSE first_step // width END
)
SELECT run, name, task_id, adaptation_step, first_step, last_step AS step, trained, wall_seconds, reports,
    dropped, nats, tokens, bytes, chars,
    low.nats AS low_nats, low.tokens AS low_tokens, low.bytes AS low_bytes, low.chars AS low_chars,
    high.nats AS high_nats, high.tokens AS high_tokens, high.bytes AS high_bytes, high.chars AS high_chars
FROM merged WHERE reports > 0 ORDER BY run, name, task_id, line_step, step
""".replace("{merged}", _MERGED)

# The root of the lines. A line's first report is a piece of its own on every level.
_BUILD = """
firsts AS (
    SELECT run, name, line_step, min(first_step) AS line_first FROM raw JOIN wanted USING (run)
    WHERE begin_step = 0 GROUP BY run, name, line_step
), marked AS (
    SELECT raw.*, coalesce(first_step = line_first, false) AS is_first
    FROM raw LEFT JOIN firsts f
        ON raw.run = f.run AND raw.name = f.name AND raw.line_step IS NOT DISTINCT FROM f.line_step
), fine AS MATERIALIZED (
    SELECT run, name, line_step, is_first, {merged}
    FROM marked GROUP BY run, name, line_step, is_first, first_step // 16
), middle AS MATERIALIZED (
    SELECT run, name, line_step, is_first, {merged}
    FROM fine GROUP BY run, name, line_step, is_first, first_step // 128
), pieces AS (
    SELECT *, 16 AS level FROM fine
    UNION ALL BY NAME
    SELECT *, 128 AS level FROM middle
    UNION ALL BY NAME
    SELECT run, name, line_step, is_first, {merged}, 1024 AS level
    FROM middle GROUP BY run, name, line_step, is_first, first_step // 1024
)
SELECT ? AS root, * EXCLUDE (is_first) FROM pieces
""".replace("{merged}", _MERGED)
_EVERY = """
every AS (SELECT * FROM reports)
SELECT run, task_id, step, trained AS tokens_trained, wall_seconds, adaptation_step, nats,
    tokens::BIGINT AS tokens, bytes::BIGINT AS bytes, chars::BIGINT AS chars
FROM every ORDER BY run, task_id, step
"""
_INSERT = "INSERT INTO coarse BY NAME"

LOSS_LINES = _WANTED + _LOSS_REPORTS + _RAW + _READ
EVERY_LOSS = _WANTED + _LOSS_REPORTS + _EVERY
SCALAR_LINES = _WANTED + _SCALAR_REPORTS + _RAW + _READ
BUILD_LOSS = _INSERT + _WANTED + _LOSS_REPORTS + _RAW + _BUILD
BUILD_SCALAR = _INSERT + _WANTED + _SCALAR_REPORTS + _RAW + _BUILD

# Run ids, the root: where the coarse levels end, 0 where there are none.
BUILT = """
SELECT run, max(end_step) FROM coarse_ends WHERE run IN (SELECT unnest(?)) AND root = ? GROUP BY run
"""

# Run ids, for each the step from which on to look, the least of these steps: the last step with any number.
LAST_STEPS = """
WITH wanted AS (SELECT unnest(?) AS run, unnest(?) AS begin_step)
SELECT m.run, max(step) FROM metrics m JOIN wanted w ON m.run = w.run AND step >= begin_step
WHERE step >= ? GROUP BY m.run
"""

# Run ids, names: every number that is none.
NOT_FINITE = """
SELECT run, name, task_id, adaptation_step, step, tokens AS trained, wall_seconds, value FROM metrics
WHERE run IN (SELECT unnest(?)) AND name IN (SELECT unnest(?)) AND NOT isfinite(value)
ORDER BY run, step, task_id
"""
