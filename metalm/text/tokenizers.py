"""The three tokenizers, how they are learned, and how they are read back from a run bundle.

What they have in common is `metalm.text.vocabulary`; the files of token ids are `metalm.text.tokens`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from metalm.config import TokenizerConfig
from metalm.errors import BundleError
from metalm.text.bpe import BpeTokenizer
from metalm.text.bpe_process import trained_beside
from metalm.text.tasks import TaskText
from metalm.text.vocabulary import Encoded, Tokenizer
from metalm.units import NATS_PER_BIT

__all__ = ["BpeTokenizer", "ByteTokenizer", "CharacterTokenizer", "Encoded", "Tokenizer", "fit", "from_json"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


class ByteTokenizer(Tokenizer):
    """A token a byte: every script, nothing to learn, nothing unknown."""

    kind = "bytes"
    pieces = tuple(bytes([byte]) for byte in range(256))

    def encode(self, data: bytes) -> Encoded:
        """See `Tokenizer.encode`; any bytes will do."""
        ids = np.frombuffer(data, dtype=np.uint8).astype(np.int64)
        return Encoded(ids=ids, widths=np.ones_like(ids))

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind}


class CharacterTokenizer(Tokenizer):
    """A token a character, in the order of code points; the last id, UNK, stands for every other character.

    An unknown character is charged 8 bits for each of its UTF-8 bytes beside UNK itself. It is decoded, and
    counted in `byte_counts`, as U+FFFD; only `Encoded.widths` knows its true bytes.
    """

    kind = "characters"

    def __init__(self, characters: Iterable[str]) -> None:
        """The known characters, in any order."""
        self._characters = "".join(sorted(set(characters)))
        self._points = _code_points(self._characters)
        self.unknown_id = len(self._characters)
        self.pieces = (*(c.encode() for c in self._characters), _REPLACEMENT)

    def encode(self, data: bytes) -> Encoded:
        """See `Tokenizer.encode`."""
        points = _code_points(data.decode())
        widths = 1 + sum((points >= first).astype(np.int64) for first in (0x80, 0x800, 0x10000))
        places = np.searchsorted(self._points, points)
        unknown = np.append(self._points, 0)[places] != points
        unknown |= places == self.unknown_id  # beyond the last known character
        ids = np.where(unknown, self.unknown_id, places)
        if not unknown.any():
            return Encoded(ids=ids, widths=widths)
        return Encoded(ids=ids, widths=widths, extra_nats=unknown * widths * (8 * NATS_PER_BIT))

    @cached_property
    def extra_nats(self) -> np.ndarray:
        """See `Tokenizer.extra_nats`."""
        is_unknown = np.arange(self.vocab_size) == self.unknown_id
        return is_unknown * self.byte_counts * (8 * NATS_PER_BIT)

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind, "characters": self._characters}


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def fit(
    config: TokenizerConfig, texts: Iterable[TaskText], *, on_wait: Callable[[], None] = lambda: None
) -> Tokenizer:
    """The tokenizer that `config` asks for, learned from the training part [0, train_end) of each text,
    streamed.

    Give it meta-train texts only. `on_wait` is called often, and may raise whatever is to end it.
    """
    if config.kind == "bytes":
        return ByteTokenizer()
    if config.kind == "characters":
        characters: set[str] = set()
        for piece in _training_pieces(texts):
            on_wait()
            characters.update(piece)
        return CharacterTokenizer(characters)
    return trained_beside(_training_pieces(texts), config.vocabulary, on_wait=on_wait)


def _training_pieces(texts: Iterable[TaskText]) -> Iterator[str]:
    for text in texts:
        for piece in text.pieces(0, text.cut.train_end):
            yield piece.decode()


def _characters(characters: str) -> CharacterTokenizer:
    try:
        return CharacterTokenizer(characters)
    except UnicodeEncodeError as error:  # JSON can hold halves of surrogate pairs, which no text can
        half = error.object[error.start]
        raise BundleError(f"characters of a tokenizer must be Unicode, got {half!r}") from None


def from_json(data: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that `to_json` wrote. Raises BundleError when the data are something else."""
    kind = data.get("kind")
    if kind == "bytes":
        return ByteTokenizer()
    if kind == "characters" and isinstance(data.get("characters"), str):
        return _characters(data["characters"])
    if kind == "bpe" and isinstance(data.get("tokenizer"), str):
        return BpeTokenizer.from_library_json(data["tokenizer"])
    raise BundleError(f"a tokenizer must be bytes, or characters or bpe with its vocabulary, got {kind!r}")
