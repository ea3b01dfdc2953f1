"""Stores of older versions are brought up to date; those of newer ones are refused."""

import duckdb
import pytest

from metalm.errors import HomeError
from metalm.store.database import Database
from metalm.store.schema import MIGRATIONS, migrate
from metalm.store.store import Store

SECOND = "ALTER TABLE runs ADD COLUMN colour VARCHAR;\nCREATE TABLE colours (name VARCHAR);\n"

BROKEN = "SELECT nothing FROM nowhere;\n"


@pytest.fixture
def database(path):
    opened = Database(path)
    yield opened
    opened.close()


def version(database):
    return database.rows("SELECT version FROM schema_version")


def test_a_new_store_gets_every_table_and_the_newest_version(database):
    migrate(database)
    tables = {name for (name,) in database.rows("SELECT table_name FROM duckdb_tables()")}
    assert tables >= {"corpora", "tasks", "splits", "split_tasks", "runs", "metrics", "evaluations", "jobs"}
    assert tables >= {"tokenizers", "samples", "adaptations", "events", "run_summary"}
    assert version(database) == [(len(MIGRATIONS),)]


def test_an_older_store_is_brought_up_to_date_and_keeps_its_rows(path, store, run):
    store.close()
    database = Database(path)
    migrate(database, (*MIGRATIONS, SECOND))
    assert database.rows("SELECT name, colour FROM runs") == [(run.name, None)]
    assert database.rows("SELECT * FROM colours") == []
    assert version(database) == [(len(MIGRATIONS) + 1,)]
    migrate(database, (*MIGRATIONS, SECOND))  # nothing is left to do
    database.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path, store, run):
    store.close()
    database = Database(path)
    with pytest.raises(duckdb.Error):
        migrate(database, (*MIGRATIONS, SECOND + BROKEN))
    database.close()
    again = Store(path)
    assert again.runs.get(run.id) == run
    again.close()


def test_a_newer_store_is_refused_and_let_be(path, database):
    migrate(database, (*MIGRATIONS, SECOND))
    database.close()
    for _ in range(2):
        with pytest.raises(HomeError, match="a newer metalm wrote it"):
            Store(path)
