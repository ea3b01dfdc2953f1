"""One DuckDB file, opened by one process: reads from any thread, writes from one thread of its own.

A DuckDB connection must not be used by two threads at once, and two threads that update one row conflict. So
every read has a cursor of its own, and every write runs as one transaction on the writer thread, whose caller
waits for it. Only what is `buffer`ed is written later: within a second, or with the next write, whichever
comes first.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd
import pyarrow as pa

from metalm.errors import HomeError
from metalm.store.opening import connect

FLUSH_SECONDS = 1.0
FLUSH_ROWS = 4000

Result = TypeVar("Result")
Values = Sequence[Any]

_log = logging.getLogger(__name__)


class Transaction:
    """What a write may do with the database: all of it happens, or nothing."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def execute(self, sql: str, values: Values = ()) -> list[tuple]:
        """Runs one statement and gives all its rows."""
        return self._cursor.execute(sql, list(values)).fetchall()

    def append(self, table: str, columns: Sequence[str], rows: Iterable[Values]) -> None:
        """Adds many rows at once: four hundred thousand a second, where INSERTs make three hundred."""
        with self._cursor.appender(table, columns=list(columns)) as appender:
            appender.append_rows(rows)


class Database:
    """Opens `path`, and owns it until `close`. Raises HomeError when another process has it.

    quarantined: where a corrupt write-ahead log was moved, None where there was none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_writes = 0  # transactions that changed something; while it stays, so does every answer
        self._root, self.quarantined = connect(path)
        self._idle = threading.Condition()
        self._readers = 0
        self._closed = False
        self._rows: dict[str, list[tuple]] = {}
        self._columns: dict[str, Sequence[str]] = {}
        self._updates: dict[tuple[str, ...], tuple[str, Values]] = {}
        self._writes: queue.SimpleQueue[tuple[Callable[[Transaction], Any], Future] | None] = (
            queue.SimpleQueue()
        )
        # A daemon, so that a process that forgets to close still ends; the exit hook then stops it in time.
        self._writer = threading.Thread(target=self._write_all, name="metalm-store", daemon=True)
        self._writer.start()
        atexit.register(self.close)

    # ---- reads ----

    def rows(self, sql: str, values: Values = ()) -> list[tuple]:
        """All rows of a query. Times are naive UTC: see `values.aware`."""
        with self._reading() as cursor:
            return cursor.execute(sql, list(values)).fetchall()

    def row(self, sql: str, values: Values = ()) -> tuple | None:
        """The first row of a query, None where there is none."""
        return next(iter(self.rows(sql, values)), None)

    def frame(self, sql: str, values: Values = ()) -> pd.DataFrame:
        """A query's rows as a DataFrame; times are UTC and say so."""
        with self._reading() as cursor:
            frame = cursor.execute(sql, list(values)).df()
        for column in frame.columns[[kind.kind == "M" for kind in frame.dtypes]]:
            frame[column] = frame[column].dt.tz_localize("UTC")
        return frame

    def table(self, sql: str, values: Values = ()) -> pa.Table:
        """A query's rows as an Arrow table, in which a missing value and NaN stay two things."""
        with self._reading() as cursor:
            return cursor.sql(sql, params=list(values)).to_arrow_table()

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._idle:
            self._check_open()
            self._readers += 1
        try:
            with self._root.cursor() as cursor:
                yield cursor
        finally:
            with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise HomeError(f"the store {self.path} is closed")

    # ---- writes ----

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Runs `work` as one transaction on the writer thread, and waits for it.

        What `work` raises undoes the transaction and is raised here.
        """
        if threading.current_thread() is self._writer:
            raise ValueError("a write must not wait for another write")
        done: Future = Future()
        with self._idle:
            self._check_open()
            self._writes.put((work, done))
        return done.result()

    def write_later(self, work: Callable[[Transaction], Any]) -> None:
        """The same without waiting for it; should it fail, it is as if it had not been asked."""
        with self._idle:
            self._check_open()
            self._writes.put((work, Future()))

    def execute(self, sql: str, values: Values = ()) -> list[tuple]:
        """One statement as a write of its own."""
        return self.write(lambda transaction: transaction.execute(sql, values))

    def buffer(self, table: str, columns: Sequence[str], rows: Sequence[tuple]) -> None:
        """Rows to be added to `table` soon. Always the same columns for one table."""
        with self._idle:
            self._check_open()
            self._columns[table] = columns
            waiting = self._rows.setdefault(table, [])
            waiting.extend(rows)
            if len(waiting) >= FLUSH_ROWS:
                self._writes.put((_nothing, Future()))

    def buffer_update(self, key: tuple[str, ...], sql: str, values: Values) -> None:
        """An update to be made soon; of several with one `key` only the last is made."""
        with self._idle:
            self._check_open()
            self._updates[key] = sql, values

    def flush(self) -> None:
        """Waits until all that was buffered is written."""
        self.write(_nothing)

    def _write_all(self) -> None:
        """The writer thread, until `close` puts None."""
        with self._root.cursor() as cursor:
            while True:
                try:
                    item = self._writes.get(timeout=FLUSH_SECONDS)
                except queue.Empty:
                    item = _nothing, Future()
                if item is None:
                    self._perform(cursor, _nothing, Future())
                    return
                self._perform(cursor, *item)

    def _perform(
        self, cursor: duckdb.DuckDBPyConnection, work: Callable[[Transaction], Any], done: Future
    ) -> None:
        try:
            self._write_buffered(cursor)
            with _transaction(cursor) as transaction:
                result = work(transaction) if work is not _nothing else None
            self.num_writes += work is not _nothing
        except BaseException as error:  # noqa: BLE001 (not swallowed: the caller of `write` raises it)
            done.set_exception(error)
        else:
            done.set_result(result)

    def _write_buffered(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with self._idle:
            rows, self._rows = self._rows, {}
            updates, self._updates = self._updates, {}
        if not rows and not updates:
            return
        try:
            with _transaction(cursor) as transaction:
                for table, waiting in rows.items():
                    transaction.append(table, self._columns[table], waiting)
                for sql, values in updates.values():
                    transaction.execute(sql, values)
            self.num_writes += 1
        except duckdb.Error as error:
            _log.warning("buffered rows could not be written, and wait for the next try: %s", error)
            with self._idle:  # back to where they were, before what came meanwhile
                self._rows = {t: rows.get(t, []) + self._rows.get(t, []) for t in {**rows, **self._rows}}
                self._updates = {**updates, **self._updates}
            raise

    # ---- the end ----

    def close(self) -> None:
        """Writes what is buffered, waits for reads under way, and gives the file back. Twice is once."""
        with self._idle:
            if self._closed:
                return
            self._closed = True
            self._writes.put(None)
        self._writer.join()
        with self._idle:
            self._idle.wait_for(lambda: self._readers == 0)
        self._root.close()
        atexit.unregister(self.close)


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[Transaction]:
    cursor.begin()
    try:
        yield Transaction(cursor)
    except BaseException:
        cursor.rollback()
        raise
    cursor.commit()


def _nothing(_transaction: Transaction) -> None:
    """The write of a flush: what is buffered goes before it."""
