"""Tables of texts (.csv, .tsv, .jsonl, .parquet): which columns they have, and their rows, one at a time.

What a row holds is not judged here, only that it is one; turning rows into one text is `metalm.text.readers`.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metalm.errors import CorpusError
from metalm.text.encodings import decode

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
MAX_FIELD_CHARS = 1 << 24  # of one field, or of one line of JSON: what is held in memory at once
SAMPLE_ROWS = 100  # looked at to tell columns of text from others
BATCH_ROWS = 256

Row = Mapping[str, Any]
OnRead = Callable[[int], None]


@dataclass(frozen=True)
class Table:
    """An opened table: `sample` is its first rows, `rows(columns)` yields all, with at least `columns`."""

    columns: tuple[str, ...]
    texts: tuple[str, ...]  # the columns that hold text, by their type or by the sample
    sample: tuple[Row, ...]
    rows: Callable[[list[str]], Iterator[Row]]


def open_table(path: Path, kind: str, encoding: str, name: str, on_read: OnRead) -> Table:
    """The table of a file. kind: one of TABLES. encoding: of the file, unused for parquet.

    Raises CorpusError, here or while rows are read, naming file and line where the file is not such a table.
    """
    if kind == ".parquet":
        return _parquet(path, name, on_read)
    lines = _lines(decode(path, encoding, name, on_read), name)
    rows = _json_rows(lines, name) if kind == ".jsonl" else _csv_rows(lines, kind, name)
    sample = tuple(itertools.islice(rows, SAMPLE_ROWS))
    columns = tuple(dict.fromkeys(column for row in sample for column in row))
    texts = tuple(column for column in columns if any(_is_text(row.get(column)) for row in sample))
    return Table(columns, texts, sample, lambda _: itertools.chain(sample, rows))


def _is_text(value: Any) -> bool:
    """Whether a field is more than a number: a table of strings holds numbers as strings."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def _lines(pieces: Iterable[str], name: str) -> Iterator[str]:
    """Whole lines, each with its newline but maybe the last."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        first, *others = piece.split("\n")
        held.append(first)
        size += len(first)
        if size > MAX_FIELD_CHARS:
            raise CorpusError(f"lines of {name!r} must have at most {MAX_FIELD_CHARS:,} characters, got more")
        for line in others:
            yield "".join(held) + "\n"
            held, size = [line], len(line)
    if size:
        yield "".join(held)


def _csv_rows(lines: Iterator[str], kind: str, name: str) -> Iterator[Row]:
    """Rows of a table with separators and a header. The separator of .csv varies."""
    head = list(itertools.islice(lines, SAMPLE_ROWS))
    delimiter = "\t" if kind == ".tsv" else max(",;\t|", key=(head or [""])[0].count)
    quoting = csv.QUOTE_MINIMAL
    if kind == ".tsv" and not _fits(head, csv.QUOTE_MINIMAL) and _fits(head, csv.QUOTE_NONE):
        quoting = csv.QUOTE_NONE
    csv.field_size_limit(MAX_FIELD_CHARS)  # of the process, but no one else reads csv with this module
    reader = csv.reader(itertools.chain(head, lines), delimiter=delimiter, quoting=quoting, strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            if not fields:
                continue
            if header is None:
                header = _header(fields, name)
            elif len(fields) != len(header):
                raise CorpusError(
                    f"line {reader.line_num:,} of {name!r} must have {len(header)} fields like the header, "
                    f"got {len(fields)}; a field that holds the separator needs quotes"
                )
            else:
                yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise CorpusError(f"line {reader.line_num:,} of {name!r} is not csv: {error}") from None


def _header(fields: list[str], name: str) -> list[str]:
    header = [field.strip() for field in fields]
    if len(set(header)) < len(header):
        raise CorpusError(f"columns of {name!r} must have different names, got {', '.join(header)}")
    return header


def _fits(lines: list[str], quoting: int) -> bool:
    """Whether the first lines of a .tsv file, read with these quotes, have as many fields as the header."""
    try:
        widths = {len(row) for row in csv.reader(lines, delimiter="\t", quoting=quoting, strict=True) if row}
    except csv.Error:
        return False
    return len(widths) == 1


def _json_rows(lines: Iterable[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
            raise CorpusError(f"line {number:,} of {name!r} is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise CorpusError(
                f"line {number:,} of {name!r} must be a JSON object, got {type(row).__name__} {line[:40]!r}"
            )
        yield row


def _parquet(path: Path, name: str, on_read: OnRead) -> Table:
    with _arrow_errors(name), _parquet_file(path) as file:
        schema = file.schema_arrow
        texts = tuple(field.name for field in schema if _holds_text(field.type))
        plain = [field.name for field in schema if not pa.types.is_nested(field.type)]
        if len(set(schema.names)) < len(schema.names):
            raise CorpusError(f"columns of {name!r} must have different names, got {', '.join(schema.names)}")
        sample = tuple(itertools.islice(_batches(file, plain, SAMPLE_ROWS), SAMPLE_ROWS))
    return Table(
        tuple(schema.names), texts, sample, lambda columns: _parquet_rows(path, columns, name, on_read)
    )


def _parquet_rows(path: Path, columns: list[str], name: str, on_read: OnRead) -> Iterator[Row]:
    with _arrow_errors(name), _parquet_file(path) as file:
        size, num_rows, told = path.stat().st_size, file.metadata.num_rows, 0
        for number, row in enumerate(_batches(file, columns, BATCH_ROWS), start=1):
            yield row
            if number % BATCH_ROWS == 0 or number == num_rows:
                on_read(size * number // num_rows - told)
                told = size * number // num_rows


def _parquet_file(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)


def _batches(file: pq.ParquetFile, columns: list[str], num_rows: int) -> Iterator[Row]:
    if not columns:
        return
    for batch in file.iter_batches(batch_size=num_rows, columns=columns, use_threads=False):
        yield from batch.to_pylist()


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


@contextmanager
def _arrow_errors(name: str) -> Iterator[None]:
    """Turns what pyarrow raises for a file that is damaged or no parquet at all into a CorpusError."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the last two: dates, no UTF-8
        reason = str(error).partition("\n")[0]
        raise CorpusError(f"{name!r} is not parquet, or damaged: {reason}") from None
