"""The tables, as numbered migrations: a store of any older version is brought up to date when it is opened.

A migration, once released, is never edited; a change is a new one at the end. Indexes are primary keys only:
more of them make inserts five times slower, and DuckDB's scans do without.
"""

from __future__ import annotations

from metalm.errors import HomeError
from metalm.store.database import Database, Transaction

_FIRST = """
CREATE TABLE corpora (
    id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, sha256 VARCHAR NOT NULL,
    bytes BIGINT NOT NULL, chars BIGINT NOT NULL, lines BIGINT NOT NULL, encoding VARCHAR NOT NULL,
    language VARCHAR NOT NULL, licence VARCHAR NOT NULL, source VARCHAR NOT NULL,
    groups JSON NOT NULL, segments JSON NOT NULL, created_at TIMESTAMP NOT NULL, statistics JSON
);
CREATE TABLE tasks (
    id VARCHAR PRIMARY KEY, corpus_id VARCHAR NOT NULL, name VARCHAR NOT NULL,
    "begin" BIGINT NOT NULL, "end" BIGINT NOT NULL, groups JSON NOT NULL
);
CREATE TABLE splits (
    id VARCHAR PRIMARY KEY, hash VARCHAR NOT NULL, name VARCHAR NOT NULL, family VARCHAR NOT NULL,
    fold INTEGER NOT NULL, folds INTEGER NOT NULL, created_at TIMESTAMP NOT NULL
);
CREATE TABLE split_tasks (  -- names and groups as they were when the split was frozen
    split_id VARCHAR NOT NULL, position INTEGER NOT NULL, task_id VARCHAR NOT NULL,
    role VARCHAR NOT NULL, near BOOLEAN,
    name VARCHAR NOT NULL, groups JSON NOT NULL, relatives VARCHAR NOT NULL
);
CREATE TABLE openings (split_id VARCHAR NOT NULL, run_id VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL);
CREATE TABLE tokenizers (
    hash VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, vocab_size INTEGER NOT NULL,
    data JSON NOT NULL, created_at TIMESTAMP NOT NULL
);
CREATE TABLE runs (
    id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL, status VARCHAR NOT NULL, algorithm VARCHAR NOT NULL,
    split_id VARCHAR NOT NULL, seed BIGINT NOT NULL, config JSON NOT NULL, device VARCHAR NOT NULL,
    code_version VARCHAR NOT NULL, parent VARCHAR, tokenizer VARCHAR NOT NULL, "group" VARCHAR NOT NULL,
    owner_pid BIGINT, owner_boot VARCHAR NOT NULL, heartbeat TIMESTAMP,
    error VARCHAR NOT NULL, traceback VARCHAR NOT NULL, tags JSON NOT NULL, notes VARCHAR NOT NULL,
    archived BOOLEAN NOT NULL, adaptation JSON,
    created_at TIMESTAMP NOT NULL, started_at TIMESTAMP, finished_at TIMESTAMP,
    step BIGINT NOT NULL, tokens BIGINT NOT NULL, seconds DOUBLE NOT NULL, progress DOUBLE NOT NULL,
    best_step BIGINT, best_value DOUBLE, seen JSON NOT NULL, validated JSON NOT NULL
);
CREATE TABLE run_summary (
    run VARCHAR PRIMARY KEY, bits_per_byte_before DOUBLE, bits_per_byte_after DOUBLE, tokens_per_second DOUBLE
);
CREATE TABLE metrics (
    run VARCHAR NOT NULL, step BIGINT NOT NULL, tokens BIGINT NOT NULL, wall_seconds DOUBLE NOT NULL,
    name VARCHAR NOT NULL, task_id VARCHAR, adaptation_step INTEGER, value DOUBLE NOT NULL
);
CREATE TABLE evaluations (
    run_id VARCHAR, checkpoint_step BIGINT, split_id VARCHAR NOT NULL, role VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL, track VARCHAR NOT NULL, method VARCHAR NOT NULL, adaptation JSON NOT NULL,
    support_bytes BIGINT NOT NULL, draw INTEGER NOT NULL, adaptation_step INTEGER NOT NULL,
    seed BIGINT NOT NULL, nats DOUBLE NOT NULL, tokens BIGINT NOT NULL, bytes BIGINT NOT NULL,
    chars BIGINT NOT NULL, seconds DOUBLE NOT NULL, seen BOOLEAN NOT NULL, created_at TIMESTAMP NOT NULL
);
CREATE TABLE jobs (
    id VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, payload JSON NOT NULL, status VARCHAR NOT NULL,
    position BIGINT NOT NULL, run_id VARCHAR, error VARCHAR NOT NULL, traceback VARCHAR NOT NULL,
    message VARCHAR NOT NULL, progress DOUBLE NOT NULL,
    created_at TIMESTAMP NOT NULL, started_at TIMESTAMP, finished_at TIMESTAMP
);
CREATE TABLE adaptations (
    id VARCHAR PRIMARY KEY, run VARCHAR NOT NULL, name VARCHAR NOT NULL, support VARCHAR NOT NULL,
    query VARCHAR NOT NULL, adaptation JSON NOT NULL, created_at TIMESTAMP NOT NULL
);
CREATE TABLE adaptation_steps (
    adaptation_id VARCHAR NOT NULL, step INTEGER NOT NULL, nats DOUBLE NOT NULL, tokens BIGINT NOT NULL,
    bytes BIGINT NOT NULL, chars BIGINT NOT NULL, seconds DOUBLE NOT NULL, char_nats DOUBLE[] NOT NULL
);
CREATE TABLE samples (
    id VARCHAR PRIMARY KEY, run VARCHAR NOT NULL, adaptation_id VARCHAR, adaptation_step INTEGER NOT NULL,
    prompt VARCHAR NOT NULL, text VARCHAR NOT NULL, temperature DOUBLE NOT NULL, seed BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE TABLE events (
    created_at TIMESTAMP NOT NULL, kind VARCHAR NOT NULL, subject VARCHAR NOT NULL, message VARCHAR NOT NULL
);
"""

_EVIDENCE = """
CREATE TABLE tunings (  -- how a run adapts in a way that is not its own, found on meta-validation
    run_id VARCHAR NOT NULL, checkpoint_step BIGINT NOT NULL, split_id VARCHAR NOT NULL,
    method VARCHAR NOT NULL, found JSON NOT NULL, created_at TIMESTAMP NOT NULL
);
CREATE TABLE studies (
    id VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, name VARCHAR NOT NULL, settings JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE TABLE study_runs (  -- key: what the run is in its study
    study_id VARCHAR NOT NULL, key VARCHAR NOT NULL, run_id VARCHAR NOT NULL
);
"""

_RUNS_PAGE = """
ALTER TABLE runs ADD COLUMN deleted_at TIMESTAMP;
CREATE TABLE saved_views (  -- choices: what stands in the address of the page, name -> values
    page VARCHAR NOT NULL, name VARCHAR NOT NULL, choices JSON NOT NULL, created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (page, name)
);
"""

_LIVE_DEMOS = """
ALTER TABLE adaptation_steps ADD COLUMN guesses JSON;
ALTER TABLE samples ADD COLUMN top_p DOUBLE DEFAULT 1;
"""

_COARSE_LEVELS = """
CREATE TABLE coarse (  -- buckets of long lines: see metalm.store.lines; root: a scalar, or the nats of a part
    run VARCHAR NOT NULL, root VARCHAR NOT NULL, level INTEGER NOT NULL, name VARCHAR NOT NULL,
    line_step INTEGER, adaptation_step INTEGER, first_step BIGINT NOT NULL, last_step BIGINT NOT NULL,
    trained BIGINT NOT NULL, wall_seconds DOUBLE NOT NULL, reports BIGINT NOT NULL, lost BIGINT NOT NULL,
    nats DOUBLE, tokens DOUBLE, bytes DOUBLE, chars DOUBLE,
    low STRUCT(nats DOUBLE, tokens DOUBLE, bytes DOUBLE, chars DOUBLE),
    high STRUCT(nats DOUBLE, tokens DOUBLE, bytes DOUBLE, chars DOUBLE)
);
CREATE TABLE coarse_ends (run VARCHAR NOT NULL, root VARCHAR NOT NULL, end_step BIGINT NOT NULL);
"""

# Made anew by the first who reads, in levels of other widths.
_OTHER_LEVELS = "DELETE FROM coarse; DELETE FROM coarse_ends;"

MIGRATIONS: tuple[str, ...] = (_FIRST, _EVIDENCE, _RUNS_PAGE, _LIVE_DEMOS, _COARSE_LEVELS, _OTHER_LEVELS)


def migrate(database: Database, migrations: tuple[str, ...] = MIGRATIONS) -> None:
    """Brings the tables up to date in one transaction. Raises HomeError for a store of a newer metalm."""
    version = database.write(_version)
    if version > len(migrations):
        raise HomeError(
            f"the store {database.path} must have version {len(migrations)} or older, got {version}; "
            "a newer metalm wrote it"
        )

    def apply(transaction: Transaction) -> None:
        for sql in migrations[version:]:
            for statement in sql.split(";\n"):
                if statement.strip():
                    transaction.execute(statement)
        transaction.execute("UPDATE schema_version SET version = ?", [len(migrations)])

    if version < len(migrations):
        database.write(apply)


def _version(transaction: Transaction) -> int:
    """How many migrations the store has had; 0 for a new one."""
    transaction.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    rows = transaction.execute("SELECT version FROM schema_version")
    if not rows:
        transaction.execute("INSERT INTO schema_version VALUES (0)")
    return rows[0][0] if rows else 0
