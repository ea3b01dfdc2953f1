"""A cache of a text so far beside a GRU: what both say of the next byte, mixed, charged and learned from.

Cache and mixing weights learn from the support set, which is not charged, and then from the query, each byte
once it was charged.
Shapes: T streams side by side, S bytes of a segment, K sets of mixing weights, E experts of the cache,
V = 256 bytes.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from metalm.config import Settings, setting
from metalm.evaluate.cache import ORDERS, NGramCache
from metalm.evaluate.dynamic import Dynamic, segments
from metalm.evaluate.mixing import Mixer
from metalm.learn.score import Stream
from metalm.learn.stopping import ShouldStop, never
from metalm.model.compiled import Source
from metalm.model.engine import Engine
from metalm.model.task_weights import TaskWeights

SOURCE = Source(Path(__file__).with_name("coder.c"))

# The mixing weights before they learned: the GRU, the longest context that was met, and the word so far.
_OF_GRU, _OF_LONGEST, _OF_WORD = 0.36, 0.45, 0.15


@dataclass(frozen=True, kw_only=True)
class Cache(Settings):
    """What a cache counts, and how its say is weighed against the GRU's."""

    section = "cache"
    order: int = setting(
        ORDERS[-1], "bytes of the longest context; -1: no cache", at_least=-1, at_most=ORDERS[-1]
    )
    words: bool = setting(True, "whether the word so far and the word before are contexts, too")
    rate: float = setting(0.001, "step size of the mixing weights, a byte", at_least=0.0, at_most=1.0)


class Coder(Protocol):
    """Charges the bytes of one stream, in order, and learns from each."""

    def nats(self, log_p_SV: np.ndarray, bytes_S: np.ndarray) -> np.ndarray:
        """(S,) nats of the bytes that come next, float64; log_p_SV: what the GRU says of each."""
        ...


def new_coder(settings: Cache) -> Coder:
    """The compiled one where it can be built; both charge the same."""
    return NumpyCoder(settings) if library() is None else CompiledCoder(settings)


class NumpyCoder:
    """A coder of its parts, for all to read; see `metalm.evaluate.cache` and `mixing`."""

    def __init__(self, settings: Cache) -> None:
        self._cache = NGramCache(settings.order, words=settings.words)
        experts = self._cache.num_experts
        # One selector knows how far the cache can be trusted, the other the byte before.
        self._mixer = Mixer([_starts(self._cache), np.zeros((256, 1 + experts))], settings.rate)
        self._log_p_EV = np.empty((1 + experts, 256), dtype=np.float32)
        self._before = 0

    def nats(self, log_p_SV: np.ndarray, bytes_S: np.ndarray) -> np.ndarray:
        """See `Coder.nats`."""
        cache, mixer, log_p_EV = self._cache, self._mixer, self._log_p_EV
        nats_S = np.empty(len(bytes_S))
        with np.errstate(all="ignore"):  # a GRU that diverged gives no number
            for at, byte in enumerate(bytes_S.tolist()):
                log_p_EV[0] = log_p_SV[at]
                log_p_EV[1:] = cache.look()
                sets = 3 * cache.longest + cache.certainty, self._before
                nats_S[at] = -mixer.mix(log_p_EV, sets)[byte]
                mixer.learn(byte)
                cache.learn(byte)
                self._before = byte
        return nats_S


class CompiledCoder:
    """`coder.c`: about ten times as fast, and Python's lock is free meanwhile. One thread at a time."""

    def __init__(self, settings: Cache) -> None:
        cache = NGramCache(settings.order, words=settings.words)  # it is told of; it counts nothing
        orders, starts_KE = np.array(cache.orders, dtype=np.int_), _starts(cache)
        has_words = cache.num_experts > len(orders)
        self._library = library()
        self._coder = self._library.coder_new(
            *(_address(orders), ctypes.c_long(len(orders)), ctypes.c_long(has_words)),
            *(_address(starts_KE), ctypes.c_double(settings.rate)),
        )
        if not self._coder:
            raise MemoryError("no memory for a cache of n-grams")
        weakref.finalize(self, self._library.coder_free, ctypes.c_void_p(self._coder))

    def nats(self, log_p_SV: np.ndarray, bytes_S: np.ndarray) -> np.ndarray:
        """See `Coder.nats`. Raises MemoryError."""
        said = np.ascontiguousarray(log_p_SV, dtype=np.float32)
        ids, nats_S = np.ascontiguousarray(bytes_S, dtype=np.uint8), np.empty(len(bytes_S))
        assert said.shape == (len(ids), 256), "a distribution over all bytes for each of them"
        arrays = (_address(array) for array in (said, ids, nats_S))
        if self._library.coder_code(ctypes.c_void_p(self._coder), ctypes.c_long(len(ids)), *arrays):
            raise MemoryError("no memory for a cache of n-grams")
        return nats_S


@cache
def library() -> ctypes.CDLL | None:
    """The compiled coder; None where it cannot be built."""
    found = SOURCE.library()
    if found is not None:
        found.coder_new.restype, found.coder_free.restype = ctypes.c_void_p, None
        found.coder_code.restype = ctypes.c_int
    return found


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _starts(cache: NGramCache) -> np.ndarray:
    """(K, 1 + E): a set for each number of contexts met with each certainty."""
    lengths = len(cache.orders)
    sets = np.zeros((lengths + 1, 3, 1 + cache.num_experts))
    sets[0, :, 0] = 1
    sets[1:, :, 0] = _OF_GRU
    if cache.num_experts > lengths:
        sets[1:, :, lengths + 1] = _OF_WORD
    for met in range(1, lengths + 1):
        sets[met, :, met] = _OF_LONGEST
    return sets.reshape(-1, 1 + cache.num_experts)


def cached_nats(
    engine: Engine,
    weights: TaskWeights,
    streams: Sequence[Stream],
    settings: Cache,
    dynamic: Dynamic,
    *,
    should_stop: ShouldStop = never,
) -> list[np.ndarray]:
    """Nats of every query byte of each stream under the mixture, float64. Tokens must be bytes.

    Of the first byte of a stream the GRU says that each is as likely. Raises Stopped.
    """
    nats = [np.empty(len(stream.query.ids)) for stream in streams]
    coders = [new_coder(settings) for _ in streams]
    uniform_SV = np.full((1, 256), -math.log(256))
    for coder, stream, found in zip(coders, streams, nats, strict=True):
        first = coder.nats(uniform_SV[: len(stream.ids)], stream.ids[:1])
        if not stream.num_support:
            found[:1] = first
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for segment in segments(engine, weights, streams, dynamic, should_stop=should_stop):
            log_p_TSV = engine.log_probs(segment.weights, segment.windows).log_p_TBSV[:, 0].cpu().numpy()
            ids = [piece.ids[1:] for piece in segment.pieces]
            said = [log_p_SV[: len(own)] for log_p_SV, own in zip(log_p_TSV, ids, strict=True)]
            charged = pool.map(lambda coder, *told: coder.nats(*told), coders, said, ids)
            for found, piece, nats_S in zip(nats, segment.pieces, charged, strict=True):
                found[piece.place] = nats_S[piece.counted]
    return nats
