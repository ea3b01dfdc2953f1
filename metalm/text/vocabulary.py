"""What every tokenizer is: a table of byte pieces, and a way to write text with it.

The three kinds are made in `metalm.text.tokenizers`. Because each token stands for known bytes, every model's
nats are a code length over the same UTF-8 bytes, whatever its vocabulary.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """A text as N tokens; `widths` sums to its UTF-8 bytes.

    ids: int64 (N,). widths: int64 (N,), bytes that each token stands for. extra_nats: float64 (N,), what a
    token costs beyond its own symbol, 8 bits for each byte of an unknown character; None when nothing is
    unknown.
    """

    ids: np.ndarray
    widths: np.ndarray
    extra_nats: np.ndarray | None = None

    @property
    def num_unknown(self) -> int:
        """Characters that the vocabulary does not hold."""
        return 0 if self.extra_nats is None else int(np.count_nonzero(self.extra_nats))


class Tokenizer(ABC):
    """Text to token ids and back. Immutable, and safe to use from several threads."""

    kind: ClassVar[str]
    pieces: tuple[bytes, ...]  # what each id stands for

    @abstractmethod
    def encode(self, data: bytes) -> Encoded:
        """`data`, valid UTF-8, as tokens. Raises UnicodeDecodeError (a ValueError) where it is not."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; `tokenizers.from_json` reads it back."""

    @property
    def vocab_size(self) -> int:
        """Ids are 0 to `vocab_size - 1`."""
        return len(self.pieces)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of one token; not always whole characters."""
        return self.pieces[token_id]

    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of tokens in a row."""
        return b"".join(map(self.pieces.__getitem__, ids))

    @cached_property
    def hash(self) -> str:
        """64 hex digits; equal where all ids mean the same."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def byte_counts(self) -> np.ndarray:
        """int64 (V,): UTF-8 bytes of each token, as `token_bytes` gives them."""
        return _frozen([len(piece) for piece in self.pieces])

    @cached_property
    def extra_nats(self) -> np.ndarray:
        """float64 (V,): what each token costs beyond its own symbol; 0 where nothing is unknown.

        An unknown character is charged 8 bits for each byte that `byte_counts` gives it; where its true bytes
        are known, `Encoded.extra_nats` tells better.
        """
        return np.zeros(self.vocab_size)

    @cached_property
    def char_counts(self) -> np.ndarray:
        """int64 (V,): characters that begin in each token; summed over a text, its characters."""
        return _frozen([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self.pieces])


def _frozen(counts: list[int]) -> np.ndarray:
    array = np.array(counts, dtype=np.int64)
    array.flags.writeable = False
    return array
