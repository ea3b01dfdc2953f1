"""What a corpus page shows of a text: its counts, alphabet and words, how well it packs, how it reads.

The file is streamed once. What would take too long on a large text is measured on its beginning, and the
statistics say on how many bytes.
"""

from __future__ import annotations

import codecs
import lzma
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import regex

from metalm.errors import CorpusError
from metalm.text.detection import CHUNK_BYTES
from metalm.text.scripts import script_shares
from metalm.text.tasks import character_boundary

XZ_BYTES = 16 << 20  # xz takes a second for each 2 MB
WORD_BYTES = 16 << 20  # a gigabyte may have more different words than fit in memory
PREVIEW_BYTES = 2048
TOP = 20
ZIPF_POINTS = 500
_CODE_POINTS = 0x110000
_LONGEST_HELD = 1 << 16  # characters kept back so that no word is cut between two pieces

# A word is a run of letters, marks, digits and inner apostrophes. Han signs are words one by one, and runs of
# kana are words, since neither has spaces; a language that has none in a script of its own gives long runs.
_WORD = regex.compile(
    r"""\p{Han} | \p{Hiragana}+ | [\p{Katakana}ー]+
    | [[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}]]+
      (?:['’][[\p{L}\p{M}\p{N}]--[\p{Han}\p{Hiragana}\p{Katakana}]]+)*""",
    regex.VERBOSE | regex.VERSION1,
)


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Figures of one text. Words are in small letters, and counted in the first `word_bytes` bytes."""

    bytes: int
    chars: int
    lines: int
    alphabet_size: int  # different characters
    scripts: dict[str, float]  # share in letters and marks, largest first
    xz_bits_per_char: float  # bits of `xz -6` over the characters of the first `xz_bytes` bytes
    xz_bytes: int
    top_characters: list[tuple[str, int]]
    top_words: list[tuple[str, int]]
    num_words: int
    num_distinct_words: int
    word_bytes: int
    zipf: dict[str, list[int]]  # "rank" and "frequency" of at most 500 words, evenly spread on a log axis
    head: str
    middle: str
    tail: str


def describe(path: Path, *, on_progress: Callable[[float], None] = lambda _: None) -> Statistics:
    """The statistics of a stored text. Raises CorpusError when it is empty, missing or not UTF-8.

    on_progress is told the share read, 0 to 1, and may raise to stop it.
    """
    characters, words, packed = _Characters(), _Words(), _Packed()
    done = 0
    try:
        size = path.stat().st_size
        for text, num_bytes in _pieces(path):
            characters.add(text)
            words.add(text, num_bytes)
            packed.add(text, num_bytes)
            done += num_bytes
            on_progress(done / size)
        head, middle, tail = _previews(path, size)
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"stored text {path.name!r} cannot be read: {error}") from None
    counts = characters.counts()
    if not counts:
        raise CorpusError(f"stored text {path.name!r} must hold text, got an empty file")
    ranked = words.ranked()
    return Statistics(
        bytes=size,
        chars=sum(counts.values()),
        lines=counts.get("\n", 0) + (characters.last != "\n"),
        alphabet_size=len(counts),
        scripts=script_shares(counts),
        xz_bits_per_char=packed.bits_per_char(),
        xz_bytes=packed.num_bytes,
        top_characters=Counter(counts).most_common(TOP),
        top_words=ranked[:TOP],
        num_words=sum(count for _, count in ranked),
        num_distinct_words=len(ranked),
        word_bytes=words.num_bytes,
        zipf=_zipf([count for _, count in ranked]),
        head=head,
        middle=middle,
        tail=tail,
    )


def _pieces(path: Path) -> Iterator[tuple[str, int]]:
    """The text in pieces, each with the bytes it takes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            held = len(decoder.getstate()[0])
            text = decoder.decode(chunk)
            yield text, held + len(chunk) - len(decoder.getstate()[0])
    decoder.decode(b"", final=True)


class _Characters:
    """Counts every character: one array over all of Unicode, a thousand times faster than a dictionary."""

    def __init__(self) -> None:
        self._counts = np.zeros(_CODE_POINTS, dtype=np.int64)
        self.last = ""

    def add(self, text: str) -> None:
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        highest = int(points.max(initial=0)) + 1
        self._counts[:highest] += np.bincount(points, minlength=highest)
        self.last = text[-1:] or self.last

    def counts(self) -> dict[str, int]:
        return {chr(point): int(self._counts[point]) for point in np.flatnonzero(self._counts)}


class _Words:
    """Counts the words of the first WORD_BYTES bytes."""

    def __init__(self) -> None:
        self.num_bytes = 0
        self._counts: Counter[str] = Counter()
        self._held = ""

    def add(self, text: str, num_bytes: int) -> None:
        if self.num_bytes >= WORD_BYTES:
            return
        self.num_bytes += num_bytes
        text = self._held + text
        cut = max(text.rfind(" "), text.rfind("\n")) + 1
        if len(text) - cut > _LONGEST_HELD:
            cut = len(text)
        self._held = text[cut:]
        self._counts.update(_WORD.findall(text[:cut].lower()))

    def ranked(self) -> list[tuple[str, int]]:
        """(word, count), most frequent first, equals by the alphabet."""
        self._counts.update(_WORD.findall(self._held.lower()))
        self._held = ""
        return sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))


class _Packed:
    """Packs the first XZ_BYTES bytes, as `xz -6` does."""

    def __init__(self) -> None:
        self.num_bytes = self._chars = self._size = 0
        self._packer = lzma.LZMACompressor(preset=6)

    def add(self, text: str, num_bytes: int) -> None:
        if self.num_bytes >= XZ_BYTES:
            return
        self.num_bytes += num_bytes
        self._chars += len(text)
        self._size += len(self._packer.compress(text.encode()))

    def bits_per_char(self) -> float:
        return 8 * (self._size + len(self._packer.flush())) / self._chars


def _zipf(counts: list[int]) -> dict[str, list[int]]:
    """Ranks evenly spread on a log axis, with their counts; all of them where there are few words."""
    ranks = np.unique(np.geomspace(1, max(len(counts), 1), ZIPF_POINTS).round().astype(int))
    ranks = ranks[ranks <= len(counts)].tolist()
    return {"rank": ranks, "frequency": [counts[rank - 1] for rank in ranks]}


def _previews(path: Path, size: int) -> tuple[str, str, str]:
    """The beginning, the middle and the end, cut between characters."""
    pieces = []
    for begin in (0, (size - PREVIEW_BYTES) // 2, size - PREVIEW_BYTES):
        begin = character_boundary(path, max(begin, 0), forward=True)
        end = character_boundary(path, min(begin + PREVIEW_BYTES, size))
        with path.open("rb") as file:
            file.seek(begin)
            pieces.append(file.read(end - begin).decode())
    return pieces[0], pieces[1], pieces[2]
