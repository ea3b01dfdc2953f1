"""The one way to score, whatever the method: the state reads the support set, then the query, in one stream.

Every query byte is charged. The first query token is predicted from the state that the support set left;
without a support set it costs the logarithm of the vocabulary. Many streams are read side by side, each with
weights of its own or all with the same.
Shapes: T tasks (a stream each), S tokens predicted in a chunk of a stream.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.engine import Engine, Windows
from metalm.model.fast_weights import Weights
from metalm.model.task_weights import TaskWeights, of_tasks, shared
from metalm.text.tokenizers import Encoded, Tokenizer

# Logits are held for one chunk of all streams at a time: about this many numbers, and some tokens at least.
_CHUNK_LOGITS = 1 << 20
_CHUNK_TOKENS = 64


@dataclass(frozen=True)
class Score:
    """What a query set cost: nats summed over its tokens, what was charged, and the seconds it took.

    Of several that were scored side by side each took its share of the seconds.
    """

    nats: float
    tokens: int
    bytes: int
    chars: int
    seconds: float


@dataclass(frozen=True)
class Stream:
    """A support set and the query set after it, as tokens. ids: int64, of both; query: of the second."""

    ids: np.ndarray
    query: Encoded
    bytes: int  # of the query set
    chars: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, support: bytes, query: bytes) -> Stream:
        """The stream of two texts in UTF-8."""
        encoded = tokenizer.encode(query)
        ids = np.concatenate([tokenizer.encode(support).ids, encoded.ids]).astype(np.int64)
        return cls(ids, encoded, len(query), num_chars(query))

    @property
    def num_support(self) -> int:
        """Tokens of the support set."""
        return len(self.ids) - len(self.query.ids)

    @property
    def extra_nats(self) -> float:
        """What unknown characters of the query set cost beyond their symbol."""
        return 0.0 if self.query.extra_nats is None else float(self.query.extra_nats.sum())


def scores(
    engine: Engine, weights: TaskWeights, streams: Sequence[Stream], *, should_stop: ShouldStop = never
) -> list[Score]:
    """The cost of each stream's query under the weights of its task; unknown characters cost their bytes.

    Raises Stopped when `should_stop` says so between two chunks of the streams.
    """
    begin = time.perf_counter()
    sums = [nats.sum() for nats in stream_nats(engine, weights, streams, should_stop=should_stop)]
    seconds = (time.perf_counter() - begin) / max(1, len(streams))
    return [
        Score(float(nats + stream.extra_nats), len(stream.query.ids), stream.bytes, stream.chars, seconds)
        for nats, stream in zip(sums, streams, strict=True)
    ]


def score(
    engine: Engine,
    weights: Weights,
    tokenizer: Tokenizer,
    support: bytes,
    query: bytes,
    *,
    should_stop: ShouldStop = never,
) -> Score:
    """`scores` of a single task."""
    streams = [Stream.of(tokenizer, support, query)]
    return scores(engine, shared(weights, 1), streams, should_stop=should_stop)[0]


def stream_nats(
    engine: Engine, weights: TaskWeights, streams: Sequence[Stream], *, should_stop: ShouldStop = never
) -> list[np.ndarray]:
    """Nats of every query token of each stream, float64. Their sum, plus `extra_nats`, is the score.

    Streams may differ in length: one that has ended is left behind at the next chunk. Raises Stopped.
    """
    if not streams:
        return []
    bias = weights["linear.bias"]
    nats = [np.full(len(stream.query.ids), math.log(bias.shape[1])) for stream in streams]
    chunk = max(_CHUNK_TOKENS, _CHUNK_LOGITS // (bias.shape[1] * len(streams)))
    reading, hidden_TLBH = list(range(len(streams))), None
    for begin in range(0, max(len(stream.ids) for stream in streams) - 1, chunk):
        stop_if(should_stop)
        rest = [row for row, task in enumerate(reading) if len(streams[task].ids) - 1 > begin]
        if len(rest) < len(reading):
            reading = [reading[row] for row in rest]
            weights = of_tasks(weights, rest)
            hidden_TLBH = hidden_TLBH if hidden_TLBH is None else hidden_TLBH[rest]
        pieces = [Piece.of(streams[task], begin, chunk) for task in reading]
        losses = engine.losses(weights, windows_of(pieces, bias.device, hidden_TLBH))
        hidden_TLBH = losses.hidden_TLBH
        nats_TS = losses.nats_TBS[:, 0].cpu().double().numpy()
        for task, piece, nats_S in zip(reading, pieces, nats_TS, strict=True):
            nats[task][piece.place] = nats_S[piece.counted]
    return nats


def token_nats(
    engine: Engine,
    weights: Weights,
    tokenizer: Tokenizer,
    support: bytes,
    query: bytes,
    *,
    should_stop: ShouldStop = never,
) -> np.ndarray:
    """`stream_nats` of a single task."""
    streams = [Stream.of(tokenizer, support, query)]
    return stream_nats(engine, shared(weights, 1), streams, should_stop=should_stop)[0]


def num_chars(data: bytes) -> int:
    """Characters (code points) of UTF-8 text: its bytes that are no continuation bytes."""
    return int(np.count_nonzero((np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80))


@dataclass(frozen=True)
class Piece:
    """A chunk of a stream. counted: its predictions of query tokens; place: where in the query those are."""

    ids: np.ndarray
    counted: slice
    place: slice

    @classmethod
    def of(cls, stream: Stream, begin: int, length: int) -> Piece:
        """The predictions [begin, begin + length) of a stream, or those that there are."""
        ids = stream.ids[begin : begin + length + 1]
        last = max(len(ids) - 1, 0)
        # The last support token predicts the first query token.
        first = min(max(stream.num_support - 1 - begin, 0), last)
        place = max(begin + 1 - stream.num_support, 0)
        return cls(ids, slice(first, last), slice(place, place + last - first))


def windows_of(
    pieces: Sequence[Piece], device: torch.device, hidden_TLBH: Tensor | None, *, all_count: bool = False
) -> Windows:
    """Pieces side by side; what is of no query does not count, unless all that is there does."""
    longest = max(len(piece.ids) for piece in pieces)
    tokens_TBS = np.zeros((len(pieces), 1, longest), dtype=np.int64)
    mask_TBS = np.zeros((len(pieces), 1, longest - 1), dtype=bool)
    for row, piece in enumerate(pieces):
        tokens_TBS[row, 0, : len(piece.ids)] = piece.ids
        mask_TBS[row, 0, slice(max(len(piece.ids) - 1, 0)) if all_count else piece.counted] = True
    mask = None if mask_TBS.all() else torch.from_numpy(mask_TBS).to(device)
    return Windows(torch.from_numpy(tokens_TBS).to(device), mask, hidden_TLBH)
