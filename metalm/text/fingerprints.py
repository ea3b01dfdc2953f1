"""Texts as sets of hashed units, so that what two of them share can be counted: whole lines, or runs of 13
words.

A word of a script that writes no spaces between words (Chinese, Japanese, Thai ...) is one character here.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Literal, get_args

import numpy as np

from metalm.text.tasks import TaskText

Kind = Literal["lines", "13-grams"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MIN_LINE = 20  # characters; shorter lines are alike by chance
GRAM = 13  # words; the length used since GPT-3 to tell copies from phrases

_SPACELESS = (
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # kana, Han
)
_SPACELESS_CHARACTER = re.compile(_SPACELESS)
_WORD = re.compile(rf"{_SPACELESS}|(?:(?!{_SPACELESS})\S)+")
_SPACE_BETWEEN_SPACELESS = re.compile(rf"(?<={_SPACELESS}) (?={_SPACELESS})")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, bits well mixed: 2^64 over the golden ratio


@dataclass(frozen=True)
class Fingerprints:
    """The units of a text, by their 64-bit hashes.

    hashes: uint64 (U,), rising. counts: int64 (U,), how often each occurs. first: int64 (U,), the place of
    its first occurrence, counted in lines or words.
    """

    hashes: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    @property
    def total(self) -> int:
        """Units in the text, repetitions included."""
        return int(self.counts.sum())

    def where(self, kept: np.ndarray) -> Fingerprints:
        """Those of the units for which `kept`, bool (U,), holds."""
        return Fingerprints(self.hashes[kept], self.counts[kept], self.first[kept])


def fingerprints(text: TaskText, kind: Kind, begin: int, end: int, *, every: int = 1) -> Fingerprints:
    """The units of the bytes [begin, end); with `every` n only those whose hash divides by n, the same in all
    texts.

    Streamed: memory grows with the units kept.
    """
    width = _width(kind)
    hash_of = lru_cache(maxsize=1 << 18)(_hash)
    hashes, places, read = [], [], 0
    carried = np.empty(0, dtype=np.uint64)  # words whose runs reach into the next piece
    for units in _pieces(text, kind, begin, end):
        fresh = np.fromiter(map(hash_of, units), dtype=np.uint64, count=len(units))
        singles = np.concatenate([carried, fresh])
        runs = _runs(singles, width)
        kept = np.flatnonzero(runs % np.uint64(every) == 0)
        hashes.append(runs[kept])
        places.append(kept + (read - len(carried)))
        read += len(units)
        carried = singles[len(runs) :]
    if not hashes:
        return Fingerprints(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))
    unique, first, counts = np.unique(np.concatenate(hashes), return_index=True, return_counts=True)
    return Fingerprints(unique, counts, np.concatenate(places)[first])


def examples(text: TaskText, kind: Kind, begin: int, end: int, places: Iterable[int]) -> dict[int, str]:
    """The units at some places of the bytes [begin, end), as readable text."""
    width, wanted = _width(kind), set(places)
    found: dict[int, str] = {}
    recent: deque[str] = deque(maxlen=width)
    units = chain.from_iterable(_pieces(text, kind, begin, end))
    for place, unit in enumerate(units, start=1 - width):
        if len(found) == len(wanted):
            break
        recent.append(unit)
        if place in wanted:
            found[place] = _SPACE_BETWEEN_SPACELESS.sub("", " ".join(recent))
    return found


def _width(kind: Kind) -> int:
    return 1 if kind == "lines" else GRAM


def _pieces(text: TaskText, kind: Kind, begin: int, end: int) -> Iterator[list[str]]:
    split = _lines if kind == "lines" else _words
    return (split(piece.decode()) for piece in text.pieces(begin, end))


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.split("\n")) if len(line) >= MIN_LINE]


def _words(text: str) -> list[str]:
    text = text.lower()
    return _WORD.findall(text) if _SPACELESS_CHARACTER.search(text) else text.split()


def _hash(unit: str) -> int:
    return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=8).digest(), "little")


def _runs(singles: np.ndarray, width: int) -> np.ndarray:
    """One hash for each `width` neighbours: a polynomial in the multiplier, modulo 2^64."""
    count = max(len(singles) - width + 1, 0)
    runs = singles[:count]
    for i in range(1, width):
        runs = runs * _MULTIPLIER + singles[i : i + count]
    return runs
