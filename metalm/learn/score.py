"""The one way to score, whatever the method: the state reads the support set, then the query, in one stream.

Every query byte is charged. The first query token is predicted from the state that the support set left;
without a support set it costs the logarithm of the vocabulary.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.fast_weights import Weights, run
from metalm.model.gru import GRULM
from metalm.text.tokenizers import Encoded, Tokenizer

# Logits are held for one chunk of the stream at a time: about this many numbers, and some tokens at least.
_CHUNK_LOGITS = 1 << 18
_CHUNK_TOKENS = 64


@dataclass(frozen=True)
class Score:
    """What a query set cost: nats summed over its tokens, what was charged, and the seconds it took."""

    nats: float
    tokens: int
    bytes: int
    chars: int
    seconds: float


def score(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    support: bytes,
    query: bytes,
    *,
    should_stop: ShouldStop = never,
) -> Score:
    """The cost of `query` after `support`, under `weights`. Unknown characters are charged with their bytes.

    Raises Stopped when `should_stop` says so between two chunks of the stream.
    """
    begin = time.perf_counter()
    encoded = tokenizer.encode(query)
    nats = _nats(model, weights, tokenizer.encode(support).ids, encoded.ids, should_stop).sum()
    if encoded.extra_nats is not None:
        nats += encoded.extra_nats.sum()
    seconds = time.perf_counter() - begin
    return Score(float(nats), len(encoded.ids), len(query), num_chars(query), seconds)


def token_nats(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    support: bytes,
    query: bytes | Encoded,
    *,
    should_stop: ShouldStop = never,
) -> np.ndarray:
    """Nats of every query token, float64. Their sum, plus `extra_nats` of the encoding, is the score."""
    encoded = query if isinstance(query, Encoded) else tokenizer.encode(query)
    return _nats(model, weights, tokenizer.encode(support).ids, encoded.ids, should_stop)


def num_chars(data: bytes) -> int:
    """Characters (code points) of UTF-8 text: its bytes that are no continuation bytes."""
    return int(np.count_nonzero((np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80))


@torch.inference_mode()
def _nats(
    model: GRULM, weights: Weights, support: np.ndarray, query: np.ndarray, should_stop: ShouldStop
) -> np.ndarray:
    device = next(iter(weights.values())).device
    stream = torch.from_numpy(np.concatenate([support, query]).astype(np.int64))
    nats = np.full(len(query), math.log(model.vocab_size))
    chunk = max(_CHUNK_TOKENS, _CHUNK_LOGITS // model.vocab_size)
    hidden_LBH = None
    for begin in range(0, len(stream) - 1, chunk):
        stop_if(should_stop)
        end = min(begin + chunk, len(stream) - 1)
        logits_BTV, hidden_LBH = run(model, weights, stream[None, begin:end].to(device), hidden_LBH)
        first = max(begin, len(support) - 1)  # the last support token predicts the first query token
        if first < end:
            charged = _cost(logits_BTV[0, first - begin :], stream[first + 1 : end + 1])
            nats[first + 1 - len(support) : end + 1 - len(support)] = charged
    return nats


def _cost(logits_TV: Tensor, targets_T: Tensor) -> np.ndarray:
    """-log p of each target, in float64: on the CPU, since mps has none."""
    log_p_TV = torch.log_softmax(logits_TV.to("cpu", torch.float64), dim=-1)
    return -log_p_TV.gather(1, targets_T[:, None])[:, 0].numpy()
