"""From a path to corpora: every file is streamed into one UTF-8 text, kept under its content's id.

A text appears in the corpora folder whole or not at all. Until then it grows in a scratch folder inside, gone
with the file; `remove_leftovers` sweeps what a killed process left.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from metalm.errors import CorpusError
from metalm.text.archives import DEFAULT_LIMITS, Limits
from metalm.text.corpora import Corpus, Segment, clean_name, corpus_id, corpus_path
from metalm.text.readers import TABLES, Choices, SourceFile, documents, source_files, suffix_of

MIN_CORPUS_BYTES = 1024  # of UTF-8; too little text is no task
SPOOL_CHARS = 1 << 25  # of rows held in memory before they are sorted into one file a group
_COPY_CHARS = 1 << 20
_SCRATCH = ".ingest-"

OnRead = Callable[[int], None]


@dataclass(frozen=True)
class Ingested:
    """A file that became a corpus. `path` is the stored text; `is_new` is false when it was there already."""

    file: str  # as the user knows it: `novel.txt`, `archive.zip/novel.txt`
    corpus: Corpus
    path: Path
    is_new: bool


def ingest(
    path: Path,
    corpora_dir: Path,
    *,
    name: str | None = None,
    encoding: str = "auto",
    text_column: str | None = None,
    group_column: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    on_read: OnRead = lambda _: None,
) -> Iterator[Ingested | CorpusError]:
    """Every file at a path as a corpus in `corpora_dir`, or as the error that says why it is none.

    path: a file, a .zip or a folder. name: what the user calls it, if not by the path's own name (as an
    upload in a temporary file); its suffix tells what kind of file it is. Columns are those of tables; texts
    have none. `on_read` is told the bytes of each piece read; `readers.total_bytes` says how many will come.

    Raises CorpusError when a single file is unfit, or when nothing of a folder or archive can be read at all.
    """
    name = name or path.name or path.resolve().name
    is_single = suffix_of(name) != ".zip" and not os.path.isdir(path)
    corpora_dir.mkdir(parents=True, exist_ok=True)
    choices = Choices(encoding=encoding, text_column=text_column, group_column=group_column)
    if is_single and (text_column or group_column) and suffix_of(name) not in TABLES:
        raise CorpusError(f"no columns in {name!r}; only {', '.join(TABLES)} have them")
    found = False
    for file in source_files(path, name, limits):
        found = True
        try:
            if isinstance(file, CorpusError):
                raise file
            result: Ingested | CorpusError = _ingest_file(file, corpora_dir, choices, limits, on_read)
        except CorpusError as error:
            if is_single:
                raise
            result = error if isinstance(file, CorpusError) else CorpusError(str(error), file=file.name)
        yield result
    if not found:
        raise CorpusError(f"no files in {name!r}")


def remove_leftovers(corpora_dir: Path) -> None:
    """Removes what a killed process left half-read. Nobody else may be reading files into this folder."""
    for scratch in corpora_dir.glob(f"{_SCRATCH}*"):
        shutil.rmtree(scratch)


def _ingest_file(
    file: SourceFile, corpora_dir: Path, choices: Choices, limits: Limits, on_read: OnRead
) -> Ingested:
    try:
        with TemporaryDirectory(prefix=_SCRATCH, dir=corpora_dir) as scratch:
            return _store(file, Path(scratch), corpora_dir, (choices, limits, on_read))
    except OSError as error:  # no space, no permission, an error of the disk
        raise CorpusError(f"{file.name!r} cannot be read or stored: {error.strerror or error}") from None


def _store(
    file: SourceFile, scratch: Path, corpora_dir: Path, asked: tuple[Choices, Limits, OnRead]
) -> Ingested:
    choices, limits, on_read = asked
    encoding, texts = documents(file.fetch(scratch, limits), file.name, choices, on_read)
    with _TextFile(scratch / "text", file.name, limits.max_text_bytes) as text:
        segments = _write(texts, text, choices, limits, scratch, file.name)
    text.check()
    corpus = Corpus(
        id=corpus_id(text.sha256, segments),
        name=clean_name(PurePosixPath(file.name.replace("\\", "/")).stem) or "unnamed",
        sha256=text.sha256,
        bytes=text.bytes,
        chars=text.chars,
        lines=text.lines,
        encoding=encoding,
        segments=segments,
    )
    path = corpus_path(corpora_dir, corpus.id)
    is_new = not path.exists()
    os.replace(text.path, path)
    return Ingested(file.name, corpus, path, is_new)


def _write(
    texts, text: _TextFile, choices: Choices, limits: Limits, scratch: Path, name: str
) -> tuple[Segment, ...]:
    """Writes documents to the text file: as they come, or group after group. Returns the groups' segments."""
    groups = _Groups(scratch, limits.max_groups, name, choices.group_column)
    for group, piece in texts:
        if group is None:
            text.write(piece)
        else:
            groups.add(group, piece)
    segments = []
    for group, pieces in groups.read():
        begin = text.bytes
        for piece in pieces:
            text.write(piece)
        segments.append(Segment(name=group, begin=begin, end=text.bytes))
    return tuple(segments)


class _TextFile:
    """The text of a corpus as it is written: its file, its hash and its counts."""

    def __init__(self, path: Path, name: str, max_bytes: int) -> None:
        self.path = path
        self.bytes = self.chars = self.lines = 0
        self._name, self._max_bytes = name, max_bytes
        self._hash = hashlib.sha256()
        self._has_text = False
        self._last = "\n"

    def __enter__(self) -> _TextFile:
        self._file = self.path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def write(self, piece: str) -> None:
        """Appends a piece, not empty. Raises CorpusError at a lone surrogate, and past the limit."""
        try:
            data = piece.encode()
        except UnicodeEncodeError as error:
            surrogate = error.object[error.start]
            raise CorpusError(
                f"{self._name!r} must hold Unicode text, got a lone surrogate U+{ord(surrogate):04X}"
            ) from None
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)
        self.chars += len(piece)
        self.lines += piece.count("\n")
        self._last = piece[-1]
        self._has_text = self._has_text or not piece.isspace()
        if self.bytes > self._max_bytes:
            raise CorpusError(f"{self._name!r} must hold at most {self._max_bytes:,} bytes of text, got more")

    def check(self) -> None:
        """Counts the last line, and raises CorpusError when there is no text or too little of it."""
        self.lines += self._last != "\n"
        if not self._has_text:
            raise CorpusError(
                f"{self._name!r} must hold text, got {'only white space' if self.bytes else 'nothing'}"
            )
        if self.bytes < MIN_CORPUS_BYTES:
            raise CorpusError(
                f"{self._name!r} must hold at least {MIN_CORPUS_BYTES:,} bytes of text, got {self.bytes:,}"
            )

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _Groups:
    """Rows sorted into one file a group, in the order in which groups first appear; one is open at a time."""

    def __init__(self, folder: Path, most: int, name: str, column: str | None) -> None:
        self._folder, self._most, self._name, self._column = folder, most, name, column
        self._paths: dict[str, Path] = {}
        self._held: dict[str, list[str]] = defaultdict(list)
        self._held_chars = 0

    def add(self, group: str, piece: str) -> None:
        if group not in self._paths:
            if len(self._paths) == self._most:
                raise CorpusError(
                    f"group column {self._column!r} of {self._name!r} must have at most {self._most:,} "
                    "different values, got more"
                )
            self._paths[group] = self._folder / f"group-{len(self._paths)}"
        self._held[group].append(piece)
        self._held_chars += len(piece)
        if self._held_chars > SPOOL_CHARS:
            self._flush()

    def _flush(self) -> None:
        for group, pieces in self._held.items():
            with self._paths[group].open("a", encoding="utf-8", errors="surrogatepass", newline="") as file:
                file.writelines(pieces)
        self._held.clear()
        self._held_chars = 0

    def read(self) -> Iterator[tuple[str, Iterable[str]]]:
        """(group, its rows in pieces), group after group."""
        self._flush()
        for group, path in self._paths.items():
            with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
                yield group, iter(lambda file=file: file.read(_COPY_CHARS), "")
