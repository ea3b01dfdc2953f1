"""Byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909, over bytes as in GPT-2), by the `tokenizers`
library.

Its 256 first symbols are the bytes, so nothing is unknown and every text comes back exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from tokenizers import Tokenizer as LibraryTokenizer
from tokenizers import models, pre_tokenizers, trainers

from metalm.errors import BundleError
from metalm.text.vocabulary import Encoded, Tokenizer


class BpeTokenizer(Tokenizer):
    """Tokens learned from text by merging the most frequent neighbours, never across a line or a word."""

    kind = "bpe"

    def __init__(self, vocab: dict[str, int], merges: list[tuple[str, str]]) -> None:
        """`vocab` and `merges` as the library writes them, every byte and every merge in `vocab`."""
        self._library = _library_tokenizer(models.BPE(vocab=vocab, merges=merges))
        symbols = sorted(vocab, key=vocab.__getitem__)
        self.pieces = tuple(bytes(map(_BYTE_OF.__getitem__, symbol)) for symbol in symbols)

    @classmethod
    def trained(cls, texts: Iterable[str], vocab_size: int) -> BpeTokenizer:
        """At most `vocab_size` tokens, learned from texts that are streamed; the same texts give the same
        tokens.

        Texts should end where lines end. Fewer tokens come out when no pair is left that occurs twice.
        """
        library = _library_tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            initial_alphabet=sorted(_BYTE_OF),
            show_progress=False,
        )
        library.train_from_iterator(texts, trainer=trainer)
        return cls.from_library_json(library.to_str())

    @classmethod
    def from_library_json(cls, text: str) -> BpeTokenizer:
        """From the library's own JSON. Raises BundleError unless it holds a complete byte-level BPE."""
        try:
            model = json.loads(text)["model"]
            vocab, merges = model["vocab"], [tuple(merge) for merge in model["merges"]]
            complete = (
                sorted(vocab.values()) == list(range(len(vocab)))
                and set(_BYTE_OF) <= set(vocab)
                and all(set(symbol) <= set(_BYTE_OF) for symbol in vocab)
                and all(len(m) == 2 and {*m, "".join(m)} <= set(vocab) for m in merges)
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"a bpe tokenizer must be JSON of the tokenizers library, got {error!r}"
            ) from error
        if not complete:
            raise BundleError(
                f"a bpe tokenizer must hold all bytes and its merges, got {len(vocab)} tokens without"
            )
        return cls(vocab, merges)

    def encode(self, data: bytes) -> Encoded:
        """See `Tokenizer.encode`."""
        # The fast variant leaves out character offsets, which nobody needs: widths follow from the ids.
        encoding = self._library.encode_batch_fast([data.decode()], add_special_tokens=False)[0]
        ids = np.array(encoding.ids, dtype=np.int64)
        return Encoded(ids=ids, widths=self.byte_counts[ids])

    def to_json(self) -> dict[str, Any]:
        """See `Tokenizer.to_json`."""
        return {"kind": self.kind, "tokenizer": self._library.to_str()}


def _library_tokenizer(model: models.BPE) -> LibraryTokenizer:
    library = LibraryTokenizer(model)
    # Lines first: text that is cut after a newline has the same tokens as the whole text.
    lines = pre_tokenizers.Split("\n", behavior="merged_with_previous")
    library.pre_tokenizer = pre_tokenizers.Sequence([lines, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return library


def _bytes_of_symbols() -> dict[str, int]:
    """The library's character for each byte: printable Latin-1 is itself, the rest moves to 256 and on."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    moved = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(moved)}


_BYTE_OF = _bytes_of_symbols()
