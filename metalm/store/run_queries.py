"""The longer statements of `runs`; what each wants bound stands above it."""

# Every field of `Run`, in its order.
SELECT = """
SELECT id, name, status, algorithm, split_id, seed, config, device, code_version, parent, tokenizer, "group",
    owner_pid, owner_boot, heartbeat, error, traceback, tags, notes, archived, adaptation,
    created_at, started_at, finished_at, step, tokens, seconds, progress, best_step, best_value, seen,
    validated
FROM runs
"""

# One row a run, newest first; deleted ones not.
TABLE = """
SELECT r.id, r.name, r.status, r.algorithm, coalesce(s.name, r.split_id) AS split, r.split_id, r.seed,
    r."group", r.device, r.parent, r.step, r.tokens, r.seconds, r.progress, r.best_step, r.best_value,
    u.bits_per_byte_before, u.bits_per_byte_after, u.tokens_per_second,
    CAST(r.tags AS VARCHAR[]) AS tags, r.notes, r.archived, r.error, r.config,
    r.created_at, r.started_at, r.finished_at
FROM runs r LEFT JOIN run_summary u ON u.run = r.id LEFT JOIN splits s ON s.id = r.split_id
WHERE r.deleted_at IS NULL
ORDER BY r.created_at DESC, r.id
"""

# Run id, the checkpoint's step, whether that step's meta-validation comes again, the step once more.
DELETE_LATER = """
DELETE FROM metrics
WHERE run = ? AND (step > ? OR (? AND step = ? AND starts_with(name, 'validation_')))
"""

# Device, pid, boot id, the present twice, run id.
START = """
UPDATE runs SET status = 'running', device = ?, owner_pid = ?, owner_boot = ?, heartbeat = ?, error = '',
    traceback = '', started_at = coalesce(started_at, ?), finished_at = NULL
WHERE id = ?
"""

# Each with the run id. The openings of a meta-test stay counted, without saying whose they were.
DELETE = (
    "DELETE FROM metrics WHERE run = ?",
    "DELETE FROM coarse WHERE run = ?",
    "DELETE FROM coarse_ends WHERE run = ?",
    "DELETE FROM evaluations WHERE run_id = ?",
    "DELETE FROM adaptation_steps WHERE adaptation_id IN (SELECT id FROM adaptations WHERE run = ?)",
    "DELETE FROM adaptations WHERE run = ?",
    "DELETE FROM samples WHERE run = ?",
    "DELETE FROM run_summary WHERE run = ?",
    "DELETE FROM events WHERE subject = ?",
    "DELETE FROM jobs WHERE run_id = ?",
    "DELETE FROM tunings WHERE run_id = ?",
    "DELETE FROM study_runs WHERE run_id = ?",
    "UPDATE openings SET run_id = '' WHERE run_id = ?",
    "DELETE FROM runs WHERE id = ?",
)
