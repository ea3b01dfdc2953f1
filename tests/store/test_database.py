"""One writer, many readers; what survives a kill; what happens to a damaged or an owned file."""

import math
import os
import shutil
import signal
import threading

import pytest

from metalm.errors import HomeError
from metalm.store.database import Database
from metalm.store.store import Store

TABLE = "CREATE TABLE numbers (i BIGINT NOT NULL, word VARCHAR, value DOUBLE)"
COLUMNS = ("i", "word", "value")


@pytest.fixture
def database(path):
    opened = Database(path)
    opened.execute(TABLE)
    yield opened
    opened.close()


def count(database):
    return database.rows("SELECT count(*) FROM numbers")[0][0]


def test_a_write_that_raises_leaves_nothing_and_raises_here(database):
    def write(transaction):
        transaction.execute("INSERT INTO numbers VALUES (1, 'one', 1)")
        raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        database.write(write)
    assert count(database) == 0
    database.execute("INSERT INTO numbers VALUES (1, 'one', 1)")
    assert count(database) == 1


def test_what_is_buffered_is_there_after_a_flush_whole(database):
    rows = [(i, None if i % 2 else "even", math.nan if i == 3 else i / 7) for i in range(10_000)]
    database.buffer("numbers", COLUMNS, rows)
    database.flush()
    kept = database.rows("SELECT * FROM numbers ORDER BY i")
    assert [row[:2] for row in kept] == [row[:2] for row in rows]
    assert math.isnan(kept[3][2])
    assert [row[2] for row in kept if row[0] != 3] == [row[2] for row in rows if row[0] != 3]


def test_what_is_buffered_comes_before_the_next_write(database):
    database.buffer("numbers", COLUMNS, [(1, None, 0.0)])
    assert database.execute("SELECT count(*) FROM numbers") == [(1,)]


def test_of_buffered_updates_the_last_wins(database):
    database.execute("INSERT INTO numbers VALUES (1, '', 0)")
    for value in range(100):
        database.buffer_update(("one",), "UPDATE numbers SET value = ? WHERE i = 1", [value])
    database.flush()
    assert database.rows("SELECT value FROM numbers") == [(99.0,)]


def test_the_number_of_writes_grows_with_every_change_and_with_nothing_else(database):
    seen = [database.num_writes]
    for write in (
        lambda: database.execute("INSERT INTO numbers VALUES (1, 'one', 1)"),
        lambda: (database.buffer("numbers", COLUMNS, [(2, None, 0.0)]), database.flush()),
        lambda: (database.buffer_update(("one",), "UPDATE numbers SET value = 2", []), database.flush()),
    ):
        write()
        seen.append(database.num_writes)
    assert len(set(seen)) == 4
    database.flush()
    database.rows("SELECT * FROM numbers")
    with pytest.raises(Exception, match="nowhere"):
        database.execute("INSERT INTO nowhere VALUES (1)")
    assert database.num_writes == seen[-1]


def test_rows_that_cannot_be_written_wait_and_are_told_of(database):
    database.buffer("later", ("i",), [(1,)])
    with pytest.raises(Exception, match="later"):
        database.flush()
    # The table that was missing comes: only the buffer can be waiting for it.
    with database._root.cursor() as cursor:
        cursor.execute("CREATE TABLE later (i BIGINT)").fetchall()
    database.flush()
    assert database.rows("SELECT i FROM later") == [(1,)]


def test_writers_and_readers_at_once_lose_nothing(database):
    writers, rounds, seen = 4, 60, []

    def write(number):
        for i in range(rounds):
            database.buffer("numbers", COLUMNS, [(number * rounds + i, None, 1.0)] * 3)
            database.execute("UPDATE numbers SET value = value + 1 WHERE i = -1")

    def read():
        while len(seen) < 200:
            seen.append(database.frame("SELECT count(*) AS n, sum(value) AS total FROM numbers")["n"][0])

    database.execute("INSERT INTO numbers VALUES (-1, '', 0)")
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    threads += [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.flush()
    assert count(database) == writers * rounds * 3 + 1
    assert database.rows("SELECT value FROM numbers WHERE i = -1") == [(writers * rounds,)]
    assert len(seen) >= 200


def test_closing_writes_what_is_buffered_and_twice_is_once(path):
    database = Database(path)
    database.execute(TABLE)
    database.buffer("numbers", COLUMNS, [(1, None, 0.5)])
    database.close()
    database.close()
    with pytest.raises(HomeError, match="is closed"):
        database.rows("SELECT 1")
    with pytest.raises(HomeError, match="is closed"):
        database.flush()
    again = Database(path)
    assert again.rows("SELECT * FROM numbers") == [(1, None, 0.5)]
    again.close()


def test_a_killed_process_loses_no_flushed_row(path, python):
    code = """
import sys
from pathlib import Path
from metalm.store.database import Database
database = Database(Path(sys.argv[1]))
database.execute("CREATE TABLE numbers (i BIGINT NOT NULL, word VARCHAR, value DOUBLE)")
for i in range(1_000_000):
    database.buffer("numbers", ("i", "word", "value"), [(i, "x", 0.0)])
    if i % 100 == 99:
        database.flush()
        print(i + 1, flush=True)
"""
    process = python(code, path)
    for line in process.stdout:
        if int(line) >= 5000:
            break
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    flushed = int(rest[-1]) if rest else int(line)
    process.wait()
    database = Database(path)
    kept = [i for (i,) in database.rows("SELECT i FROM numbers ORDER BY i")]
    database.close()
    assert kept == list(range(len(kept)))
    assert len(kept) >= flushed


def test_a_process_that_forgets_to_close_ends_and_loses_nothing(path, python):
    code = """
import sys, threading
from pathlib import Path
from metalm.store.database import Database
database = Database(Path(sys.argv[1]))
database.execute("CREATE TABLE numbers (i BIGINT)")
database.buffer("numbers", ("i",), [(1,), (2,)])
def read():
    while True:
        database.rows("SELECT sum(i) FROM numbers, range(1000)")
threading.Thread(target=read, daemon=True).start()
"""
    process = python(code, path)
    process.wait(timeout=60)
    assert process.returncode == 0
    database = Database(path)
    assert database.rows("SELECT i FROM numbers ORDER BY i") == [(1,), (2,)]
    database.close()


@pytest.mark.usefixtures("database")
def test_another_process_is_refused_by_name(path, python):
    code = """
import sys
from pathlib import Path
from metalm.errors import HomeError
from metalm.store.database import Database
try:
    Database(Path(sys.argv[1]))
except HomeError as error:
    print(error)
"""
    told, errors = python(code, path).communicate(timeout=60)
    assert f"is in use by process {os.getpid()}" in told, errors
    assert not list(path.parent.glob("*corrupt*"))


@pytest.fixture
def corrupt(path, python):
    """The path of a store whose log is damaged in the middle; ten rows are in the file itself."""
    code = """
import os, signal, sys
from pathlib import Path
from metalm.store.store import Store
Store(Path(sys.argv[1])).close()
store = Store(Path(sys.argv[1]))
for i in range(200):
    store.events.add("kind", "subject", "message " * 20)
os.kill(os.getpid(), signal.SIGKILL)
"""
    python(code, path).wait(timeout=60)
    log = path.with_name(f"{path.name}.wal")
    data = bytearray(log.read_bytes())
    # Inside a row: a damaged length of an entry looks to DuckDB like a log that ends there.
    place = data.index(b"message message", len(data) // 2)
    data[place : place + 4] = b"\xff\xff\xff\xff"
    log.write_bytes(data)
    return path, bytes(data)


def test_a_corrupt_log_is_moved_aside_kept_and_recorded(corrupt):
    path, log = corrupt
    store = Store(path)
    [kept] = path.parent.glob("*.corrupt-*")
    assert kept.read_bytes() == log
    events = store.events.recent()
    assert list(events["kind"]) == ["quarantine"]
    assert kept.name in events["message"][0]
    store.close()
    # It is told once: the next start is an ordinary one.
    store = Store(path)
    assert len(store.events.recent()) == 1
    store.close()


def test_a_corrupt_log_of_a_locked_store_is_let_be(corrupt, python):
    path, log = corrupt
    copy = path.with_name("copy.duckdb")
    store = Store(copy)
    shutil.copy(path.with_name(f"{path.name}.wal"), path.with_name("copy.duckdb.wal"))
    code = """
import sys
from pathlib import Path
from metalm.errors import HomeError
from metalm.store.store import Store
try:
    Store(Path(sys.argv[1]))
except HomeError as error:
    print(error)
"""
    told, _ = python(code, copy).communicate(timeout=60)
    assert "is in use by process" in told
    assert not list(path.parent.glob("copy*corrupt*"))
    store.close()


def test_a_file_that_is_no_database_is_refused(path):
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(HomeError, match="cannot be opened"):
        Database(path)
    assert path.read_bytes() == b"this is no database" * 1000
