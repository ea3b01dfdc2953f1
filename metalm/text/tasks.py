"""Tasks: named byte ranges of corpora, and where the support and query set of one lie.

A `Task` is plain data and can be stored; a `TaskText` is a task with its file at hand, what learning and
evaluation receive. Every cut lies on a character boundary, so that each piece is valid UTF-8 by itself. Which
task has which role is left to `splits`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from metalm.errors import CorpusError, NotFoundError, SplitError
from metalm.text.corpora import Corpus, corpus_path

MIN_TASK_BYTES = 1024  # below it neither set says anything
QUERY_BYTES = 12_288  # length of the tail that is judged, where the text allows it
GAP_BYTES = 512  # between the last byte trained on and the first one judged
SUPPORT_STRIDE = 8192  # bytes by which the support set of one draw ends before that of the draw before
CHUNK_BYTES = 1 << 20  # bytes of one piece when a text is streamed

Cutting = Literal["corpus", "group", "chunks"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One text source: the bytes [begin, end) of a corpus's stored UTF-8 text.

    `id` follows from the content alone: the same bytes of the same text are the same task, whatever its name.
    Tasks with equal `relatives` never straddle the roles of a split.
    """

    id: str
    name: str
    corpus_id: str
    begin: int
    end: int
    groups: dict[str, str] = field(default_factory=dict, hash=False)
    relatives: str

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.begin

    @property
    def is_long_enough(self) -> bool:
        """A support and a query set can be cut from it."""
        return self.size >= MIN_TASK_BYTES


@dataclass(frozen=True)
class Cut:
    """Bytes from the begin of a task: [0, train_end) is trained on, [query_begin, query_end) is judged."""

    train_end: int
    query_begin: int
    query_end: int


@dataclass(frozen=True)
class TaskText:
    """A task with its text at hand. All offsets are bytes from the begin of the task."""

    task: Task
    path: Path  # the stored text of the task's corpus

    @property
    def size(self) -> int:
        """Bytes of the task."""
        return self.task.size

    def read(self, begin: int, end: int) -> bytes:
        """The bytes [begin, end). Raises CorpusError when the file is shorter than the task says."""
        if not 0 <= begin <= end <= self.size:
            raise ValueError(
                f"a piece of a task of {self.size} bytes must lie inside it, got [{begin}, {end})"
            )
        data = _read(self.path, self.task.begin + begin, self.task.begin + end)
        if len(data) < end - begin:
            raise CorpusError(
                f"the text of task {self.task.name!r} must reach byte {self.task.end} of {self.path.name}, "
                f"got {self.path.stat().st_size} bytes; was the file changed?"
            )
        return data

    def pieces(self, begin: int, end: int, *, max_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """[begin, end) in pieces of at most `max_bytes` (8 or more), for texts larger than memory.

        Pieces end after a newline; one that holds none ends before a character.
        """
        while begin < end:
            piece = self.read(begin, min(begin + max_bytes, end))
            if begin + len(piece) < end:
                piece = piece[: piece.rfind(b"\n") + 1 or _last_character(piece)]
            begin += len(piece)
            yield piece

    @cached_property
    def cut(self) -> Cut:
        """Where training ends and the query set begins. Raises SplitError when the task is too short."""
        check_size(self.task)
        query_begin = self._boundary(self.size - min(QUERY_BYTES, self.size // 4))
        train_end = self._boundary(query_begin - min(GAP_BYTES, self.size // 32))
        return Cut(train_end, query_begin, self.size)

    def support(self, num_bytes: int, draw: int = 0) -> tuple[int, int] | None:
        """The support set of `num_bytes` bytes, at most 3 fewer; None when the text is too short for it.

        Draw 0 ends where training ends, draw d `d * SUPPORT_STRIDE` bytes earlier.
        """
        if num_bytes < 0 or draw < 0:
            raise ValueError(f"bytes and draw must be 0 or more, got {num_bytes} and {draw}")
        end = self.cut.train_end - draw * SUPPORT_STRIDE
        if end - num_bytes < 0:
            return None
        end = self._boundary(end)
        return (self._boundary(max(end - num_bytes, 0), forward=True) if num_bytes else end), end

    def query(self, max_bytes: int | None = None) -> tuple[int, int]:
        """The query set: the tail after the gap, or its first `max_bytes` bytes, at most 3 fewer."""
        cut = self.cut
        if max_bytes is None or cut.query_begin + max_bytes >= cut.query_end:
            return cut.query_begin, cut.query_end
        return cut.query_begin, self._boundary(cut.query_begin + max_bytes)

    def _boundary(self, offset: int, *, forward: bool = False) -> int:
        begin = self.task.begin
        return character_boundary(self.path, begin + offset, forward=forward) - begin


def check_size(task: Task) -> None:
    """Raises SplitError unless a support and a query set can be cut from the task."""
    if not task.is_long_enough:
        raise SplitError(f"task {task.name!r} must have {MIN_TASK_BYTES} bytes or more, got {task.size}")


def tasks_of(
    corpora: Iterable[Corpus],
    *,
    by: Cutting = "corpus",
    chunk_bytes: int = 100_000,
    corpora_dir: Path | None = None,
) -> list[Task]:
    """The tasks that corpora give: one a corpus, one a value of the group column, or chunks of `chunk_bytes`.

    A corpus without a group column is one task by group. The last chunk takes the rest that is shorter than a
    chunk. Chunks are cut at characters, so they need `corpora_dir`, the folder of the stored texts. Tasks
    shorter than MIN_TASK_BYTES are listed too; `splits.freeze` refuses them a role.

    A task's relatives are its corpus's group "relatives", else its own name. Groups of the corpus are
    inherited; parts of a corpus also get "corpus", and "group" for a value of the group column.
    """
    if by == "corpus":
        return [_task(corpus, corpus.name, 0, corpus.bytes) for corpus in corpora]
    if by == "group":
        return [task for corpus in corpora for task in _tasks_by_group(corpus)]
    if by != "chunks":
        raise ValueError(f"tasks must be cut by corpus, group or chunks, got {by!r}")
    if corpora_dir is None:
        raise ValueError("tasks by chunks must be given the corpora_dir, got None")
    if chunk_bytes < MIN_TASK_BYTES:
        raise SplitError(f"chunks must have {MIN_TASK_BYTES} bytes or more, got {chunk_bytes}")
    return [
        task
        for corpus in corpora
        for task in _chunks(corpus, corpus_path(corpora_dir, corpus.id), chunk_bytes)
    ]


def task_id(text: str) -> str:
    """The id of the task of a text that is written "sha256:begin:end": 16 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _task(corpus: Corpus, name: str, begin: int, end: int, groups: dict[str, str] | None = None) -> Task:
    return Task(
        id=task_id(f"{corpus.sha256}:{begin}:{end}"),
        name=name,
        corpus_id=corpus.id,
        begin=begin,
        end=end,
        groups=corpus.groups | (groups or {}),
        relatives=corpus.groups.get("relatives", name),
    )


def _tasks_by_group(corpus: Corpus) -> list[Task]:
    if not corpus.segments:
        return [_task(corpus, corpus.name, 0, corpus.bytes)]
    return [
        _task(corpus, f"{corpus.name}/{s.name}", s.begin, s.end, {"corpus": corpus.name, "group": s.name})
        for s in corpus.segments
    ]


def _chunks(corpus: Corpus, path: Path, chunk_bytes: int) -> list[Task]:
    count = max(corpus.bytes // chunk_bytes, 1)
    inner = [character_boundary(path, i * chunk_bytes) for i in range(1, count)]
    cuts = [0, *inner, corpus.bytes]
    digits = len(str(count))
    return [
        _task(corpus, f"{corpus.name}/{i:0{digits}}", begin, end, {"corpus": corpus.name})
        for i, (begin, end) in enumerate(zip(cuts, cuts[1:], strict=False), start=1)
    ]


def character_boundary(path: Path, offset: int, *, forward: bool = False) -> int:
    """The nearest offset at or before `offset` (`forward`: at or after) that splits no character."""
    if forward:
        following = _read(path, offset, offset + 3)
        return offset + len(following) - len(following.lstrip(_CONTINUATION))
    around = _read(path, max(offset - 3, 0), offset + 1)
    if offset == 0 or len(around) <= min(offset, 3):  # begin or end of the file
        return offset
    return offset - (len(around) - 1 - _last_character(around))


# In UTF-8 every byte of a character but its first is one of these.
_CONTINUATION = bytes(range(0x80, 0xC0))


def _last_character(data: bytes) -> int:
    """Where the last character of `data` begins, complete or not."""
    return len(data.rstrip(_CONTINUATION)) - 1


def _read(path: Path, begin: int, end: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(end - begin)
    except FileNotFoundError:
        raise NotFoundError(f"no text {path.name!r} in {path.parent}") from None
