"""Adaptation as one watches it: a text is cut in two, and every step says what each character costs.

Nothing is stored here, and nothing is averaged: a step has its score, and the same nats character by
character.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import regex

from metalm.errors import ConfigError, SplitError
from metalm.evaluate.baselines import unigram_table
from metalm.evaluate.ngram import ngram_nats
from metalm.learn.inner import SupportSet, adaptation
from metalm.learn.rules import Rule
from metalm.learn.score import Score, Stream, stream_nats
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import of_task, shared
from metalm.text.tokenizers import ByteTokenizer, Encoded, Tokenizer

MIN_PASTE_BYTES = 256  # below it neither part says anything
QUERY_SHARE = 0.3  # of a pasted text, unless asked otherwise
_CLUSTER = regex.compile(r"\X")  # what readers take for one character
_LINE_REACH = 0.1  # a line may end this share of the text away from the place asked for


@dataclass(frozen=True)
class LiveStep:
    """The query set after `step` adaptation steps.

    char_nats: float64, one a character of the query; they add up to `score.nats`. seconds: adaptation so far,
    scoring not counted. weights: the fast weights, for sampling.
    """

    step: int
    score: Score
    char_nats: np.ndarray
    seconds: float
    weights: Weights


def adapt_live(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    support: bytes,
    query: bytes,
    rule: Rule,
    *,
    should_stop: ShouldStop = never,
) -> Iterator[LiveStep]:
    """Every step of adaptation from 0 (the slow weights) to `rule.inner.steps`, as soon as it is made.

    A support set of fewer than two tokens allows step 0 only. Raises Stopped.
    """
    engine, device = engine_for(model), next(iter(weights.values())).device
    stream = Stream.of(tokenizer, support, query)
    windows = SupportSet.of_text(tokenizer, support, rule.inner.window, device)
    seconds, begin = 0.0, time.perf_counter()
    for adapted in adaptation(engine, shared(weights, 1), [windows], rule):
        seconds += time.perf_counter() - begin
        stop_if(should_stop)
        scored = time.perf_counter()
        [nats] = stream_nats(engine, adapted.weights, [stream], should_stop=should_stop)
        chars = character_nats(stream.query, nats, query)
        cost = Score(float(chars.sum()), len(nats), len(query), len(chars), time.perf_counter() - scored)
        yield LiveStep(adapted.step, cost, chars, seconds, of_task(adapted.weights, 0))
        begin = time.perf_counter()


def character_nats(encoded: Encoded, nats: np.ndarray, query: bytes) -> np.ndarray:
    """The nats of each character of `query` from those of its tokens, float64.

    A token's nats (with what an unknown character costs beside) are spread evenly over its bytes; a character
    gets the sum of its bytes. So a token of several characters gives each its share, and one of part of a
    character gives all to it.
    """
    charged = nats if encoded.extra_nats is None else nats + encoded.extra_nats
    byte_nats = np.repeat(charged / encoded.widths, encoded.widths)
    first_bytes = np.flatnonzero((np.frombuffer(query, dtype=np.uint8) & 0xC0) != 0x80)
    return np.add.reduceat(byte_nats, first_bytes) if len(first_bytes) else np.zeros(0)


def baseline_char_nats(name: str, support: bytes, query: bytes) -> np.ndarray:
    """The nats of each character of `query` to one of `BASELINES`, which counts `support`; or ConfigError."""
    if name not in BASELINES:
        raise ConfigError(f"a baseline must be one of {', '.join(BASELINES)}, got {name!r}")
    return character_nats(ByteTokenizer().encode(query), BASELINES[name](support, query), query)


def _uniform(_support: bytes, query: bytes) -> np.ndarray:
    return np.full(len(query), math.log(256))


def _unigram(support: bytes, query: bytes) -> np.ndarray:
    return unigram_table(support)[np.frombuffer(query, dtype=np.uint8)]


# Static baselines that are made in an instant, and say what each byte costs.
BASELINES: Mapping[str, Callable[[bytes, bytes], np.ndarray]] = {
    "n-gram": ngram_nats,
    "unigram": _unigram,
    "uniform": _uniform,
}


def cut_paste(text: str, query_share: float = QUERY_SHARE) -> tuple[bytes, bytes]:
    """A text as (support, query) in UTF-8, which follow each other and share nothing.

    The query is about the last `query_share` of the bytes: it begins after the line end nearest to that place
    if one is within a tenth of the text, else at a character, as readers count them where that is not too far
    away. Raises SplitError when the text is too short.
    """
    if not 0 < query_share < 1:
        raise SplitError(f"the share of the query must be between 0 and 1, got {query_share}")
    data = text.encode(errors="replace")  # half a surrogate pair has no UTF-8
    if len(data) < MIN_PASTE_BYTES:
        raise SplitError(
            f"text has {len(data)} bytes, needs {MIN_PASTE_BYTES} for a support and a query set; paste more"
        )
    place = round(len(data) * (1 - query_share))
    reach = int(len(data) * _LINE_REACH)
    cut = _line_cut(data, place, reach) or _cluster_cut(data, place, reach) or _character_cut(data, place)
    return data[:cut], data[cut:]


def _line_cut(data: bytes, place: int, reach: int) -> int | None:
    """The beginning of the line nearest to `place`; None when no line begins within `reach` of it."""
    before = data.rfind(b"\n", max(place - reach, 1), place) + 1
    after = data.find(b"\n", place, min(place + reach, len(data) - 1)) + 1
    found = [cut for cut in (before, after) if cut]
    return min(found, key=lambda cut: abs(cut - place), default=None)


def _cluster_cut(data: bytes, place: int, reach: int) -> int | None:
    """The last beginning of a grapheme cluster at or before `place`; None when none begins within `reach`."""
    cut = end = 0
    for cluster in _CLUSTER.finditer(data.decode()):
        cut, end = end, end + len(cluster[0].encode())
        if end > place:
            break
    return cut if cut and place - cut <= reach else None


def _character_cut(data: bytes, place: int) -> int:
    """The last beginning of a character at or before `place`."""
    while data[place] & 0xC0 == 0x80:
        place -= 1
    return place
