"""Files as documents: which files a path stands for, and the texts in each, with the group each belongs to.

To add a kind of file, give its suffix a place in SUFFIXES and its documents a place in `documents`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from metalm.errors import CorpusError
from metalm.text.archives import DEFAULT_LIMITS, DiskFile, Limits, ZipMember, folder_files, zip_members
from metalm.text.corpora import clean_name
from metalm.text.encodings import decode, find_encoding
from metalm.text.tables import TABLES, Row, Table, open_table

TEXTS = (".txt", ".md")
SUFFIXES = (*TEXTS, *TABLES, ".zip")
NO_GROUP = "(none)"  # the group of rows that have no value in the group column
MAX_GROUP_CHARS = 200

SourceFile = DiskFile | ZipMember
OnRead = Callable[[int], None]


@dataclass(frozen=True)
class Columns:
    """The columns of a table, for a form. `text` and `group` are guesses; there may be no group column."""

    names: tuple[str, ...]
    text: str
    group: str | None


@dataclass(frozen=True)
class Choices:
    """How a file is to be read, as the user chose it."""

    encoding: str = "auto"
    text_column: str | None = None
    group_column: str | None = None


def source_files(path: Path, name: str, limits: Limits) -> Iterator[SourceFile | CorpusError]:
    """Every file that a path stands for: itself, or those in a folder or archive; an error for an unfit one.

    Archives are read in folders, not in archives. Raises CorpusError when nothing at `path` can be read.
    """
    if os.path.isdir(path):  # Path.is_dir raises where a folder above may not be read
        for file in folder_files(path, name, limits):
            is_archive = isinstance(file, DiskFile) and suffix_of(file.name) == ".zip"
            yield from _unpacked(file, limits) if is_archive else (file,)
    elif suffix_of(name) == ".zip":
        DiskFile(name, path).fetch(path.parent, Limits(max_file_bytes=limits.max_unpacked_bytes))
        yield from zip_members(path, name, limits)
    elif os.path.exists(path):
        yield DiskFile(name, path)
    else:
        raise CorpusError(f"no file or folder {str(path)!r}")


def _unpacked(file: DiskFile, limits: Limits) -> Iterator[SourceFile | CorpusError]:
    try:
        yield from zip_members(file.path, file.name, limits)
    except CorpusError as error:
        yield CorpusError(str(error), file=file.name)


def total_bytes(path: Path, name: str | None = None, limits: Limits = DEFAULT_LIMITS) -> int:
    """The bytes that reading a path will take in all, unpacked: what `on_read` can be compared with."""
    found = source_files(path, name or path.name, limits)
    return sum(
        file.size for file in found if not isinstance(file, CorpusError) and suffix_of(file.name) in SUFFIXES
    )


def suffix_of(name: str) -> str:
    """The ending that tells what kind of file it is, in small letters: `.txt`."""
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


def documents(
    path: Path, name: str, choices: Choices, on_read: OnRead
) -> tuple[str, Iterator[tuple[str | None, str]]]:
    """(the encoding of a file, its texts in order, each with its group or None).

    A plain text comes in pieces; the texts of a table end with a newline. `on_read` is told the bytes read.
    Raises CorpusError, here or on the way, when the file cannot be read as its suffix says.
    """
    kind = suffix_of(name)
    if kind in TEXTS:
        encoding = find_encoding(path, choices.encoding, name)
        return encoding, ((None, piece) for piece in decode(path, encoding, name, on_read))
    if kind in TABLES:
        encoding = "utf-8" if kind == ".parquet" else find_encoding(path, choices.encoding, name)
        return encoding, _table_documents(open_table(path, kind, encoding, name, on_read), name, choices)
    if kind == ".zip":
        raise CorpusError(f"{name!r} must not be an archive inside an archive; unpack it first")
    raise CorpusError(f"{name!r} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def columns(path: Path, name: str | None = None, encoding: str = "auto") -> Columns:
    """The columns of a table, with guesses at the text and the group column.

    Raises CorpusError when it is no table, is damaged, or has no column of text.
    """
    name = name or path.name
    kind = suffix_of(name)
    if kind not in TABLES:
        raise CorpusError(f"{name!r} must end in {', '.join(TABLES)} to have columns")
    DiskFile(name, path).fetch(path.parent, DEFAULT_LIMITS)
    try:
        found = "utf-8" if kind == ".parquet" else find_encoding(path, encoding, name)
        table = open_table(path, kind, found, name, lambda _: None)
    except OSError as error:
        raise CorpusError(f"{name!r} cannot be read: {error.strerror or error}") from None
    if not table.texts:
        raise CorpusError(f"no column of text in {name!r}; it has {', '.join(table.columns) or 'no rows'}")
    text = _only_text(table, None) or max(table.texts, key=lambda column: _length(table, column))
    return Columns(table.columns, text, _likely_group(table, text))


def _length(table: Table, column: str) -> int:
    return sum(len(str(row.get(column) or "")) for row in table.sample)


def _likely_group(table: Table, text: str) -> str | None:
    """The column whose values come back most often, if each comes back twice in the mean."""
    kinds = {
        column: len({str(row.get(column)) for row in table.sample})
        for column in table.columns
        if column != text
    }
    fitting = [column for column, num in kinds.items() if 2 <= num <= len(table.sample) / 2]
    return min(fitting, key=kinds.__getitem__, default=None)


def _only_text(table: Table, group: str | None) -> str | None:
    """The column that must be meant when none is chosen: the only one of text, or the one called text."""
    candidates = [column for column in table.texts if column != group]
    if len(candidates) > 1:
        candidates = [column for column in candidates if column.lower() == "text"]
    return candidates[0] if len(candidates) == 1 else None


def _table_documents(table: Table, name: str, choices: Choices) -> Iterator[tuple[str | None, str]]:
    if not table.columns:
        raise CorpusError(f"{name!r} must hold text, got a table without rows")
    group = choices.group_column
    text = choices.text_column or _only_text(table, group)
    if text is None:
        raise CorpusError(f"no text column chosen for {name!r}; it has {', '.join(table.columns)}")
    for column in (text, group):
        if column is not None and column not in table.columns:
            raise CorpusError(f"no column {column!r} in {name!r}; it has {', '.join(table.columns)}")
    if text == group:
        raise CorpusError(
            f"the group column of {name!r} must differ from the text column, got {text!r} for both"
        )
    return _texts(table, text, group, name)


def _texts(table: Table, text: str, group: str | None, name: str) -> Iterator[tuple[str | None, str]]:
    for row in table.rows([text] if group is None else [text, group]):
        value = row.get(text)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise CorpusError(
                f"column {text!r} of {name!r} must hold text, got {type(value).__name__} {value!r:.40}"
            )
        value = io.IncrementalNewlineDecoder(None, translate=True).decode(value, final=True)
        if "\0" in value:
            raise CorpusError(
                f"column {text!r} of {name!r} must hold text, got binary data (a NUL character)"
            )
        yield _group_name(row, group, name), value if value.endswith("\n") else value + "\n"


def _group_name(row: Row, group: str | None, name: str) -> str | None:
    if group is None:
        return None
    value: Any = row.get(group)
    found = NO_GROUP if value is None else clean_name(" ".join(str(value).split())) or NO_GROUP
    if len(found) > MAX_GROUP_CHARS:
        raise CorpusError(
            f"values of group column {group!r} in {name!r} must have at most {MAX_GROUP_CHARS} characters, "
            f"got {len(found):,}; is it the text column?"
        )
    return found
