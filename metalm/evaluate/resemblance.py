"""What each place of a text looks like: which task's expert reads the stretch around it best.

`bayes` believes by all that came before, and after a few hundred tokens it believes in one task, whatever
follows. A reader wants to see where a text changes. So this is the weighting of `posterior pool` with the
tokens around a place for a support set: it forgets what lies far, and its temperature keeps runners-up in
sight. It describes a text and predicts nothing: half of the window lies ahead, so that a change is seen where
it is and not half a window later.
Weights always add up to 1, even for a text that is like no task. So the cost of the support set stands beside
them, under each expert and under the slow weights: where no expert is better, the text is like none.
Shapes: T tasks, K samples of each, X tokens of a text (support set and query), C characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalm.evaluate import mixture
from metalm.evaluate.experts import ExpertMixture, Mixing, Read
from metalm.learn.score import score
from metalm.learn.stopping import ShouldStop, never
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights
from metalm.text.tokenizers import Encoded

# Bytes: a line or two. On five languages of 700 bytes each in a row, 64 find the right one at 99 % of the
# characters, 16 at 87 %, and 64 that all lie behind at 95 %.
WINDOW = 64
# The modes alone: samples blur the picture and cost a reading each. The temperature keeps sister languages
# in sight of each other, however long the text is.
MIXING = Mixing(samples=0, temperature=0.03, per_token=True)


@dataclass(frozen=True)
class Resemblance:
    """What a text looks like among T meta-train tasks.

    after_support_T: how much each is believed after the whole support set. weights_TC: by the stretch around
    each character of support set and query, of which the first `support_chars` are the support set's. Weights
    add up to 1. support_nats_T, slow_nats: what the support set costs each expert and the slow weights.
    """

    task_ids: tuple[str, ...]
    names: tuple[str, ...]
    after_support_T: np.ndarray
    weights_TC: np.ndarray
    support_nats_T: np.ndarray
    slow_nats: float
    support_chars: int
    support_bytes: int


def resemblance(
    contender: ExpertMixture,
    support: bytes,
    query: bytes,
    *,
    window: int = WINDOW,
    should_stop: ShouldStop = never,
) -> Resemblance:
    """What a text in two parts looks like to a `posterior pool`. UTF-8. Raises Stopped."""
    [text] = contender.read([(support, query)], should_stop)
    weights_TX = weights_along(contender, text, window)
    encoded = contender.tokenizer.encode(support)
    parts = [
        by_character(weights_TX[:, : len(encoded.ids)], encoded, support),
        by_character(weights_TX[:, len(encoded.ids) :], text.stream.query, query),
    ]
    model = contender.model
    slow = score(
        engine_for(model), slow_weights(model), contender.tokenizer, b"", support, should_stop=should_stop
    )
    extra_nats = 0.0 if encoded.extra_nats is None else float(encoded.extra_nats.sum())
    return Resemblance(
        task_ids=contender.experts.task_ids,
        names=contender.experts.names,
        after_support_T=contender.mixed(text).after_support_T,
        weights_TC=np.concatenate(parts, axis=1),
        support_nats_T=_by_task(contender, text.support_nats_C) + extra_nats,
        slow_nats=slow.nats,
        support_chars=slow.chars,
        support_bytes=slow.bytes,
    )


def weights_along(contender: ExpertMixture, text: Read, window: int = WINDOW) -> np.ndarray:
    """weights_TX: how much each task is believed by the `window` tokens around each token of the text.

    The token is in their middle; at the ends of the text there are fewer. They are tempered as the settings
    say. A window of twice the text gives the weights of the whole text at each place.
    Raises ValueError for a window below 1.
    """
    if window < 1:
        raise ValueError(f"window must be 1 or more, got {window}")
    components, tokens = text.nats_CX.shape
    place_X = np.arange(tokens)
    begin_X = np.maximum(place_X - window // 2, 0)
    end_X = np.minimum(place_X + (window + 1) // 2, tokens)
    sums_CX = np.concatenate([np.zeros((components, 1)), np.cumsum(text.nats_CX, axis=1)], axis=1)
    window_CX = sums_CX[:, end_X] - sums_CX[:, begin_X]
    window_TX = _by_task(contender, window_CX)
    if contender.settings.per_token:
        window_TX /= end_X - begin_X
    return mixture.posterior_weights(window_TX, contender.settings.temperature)


def by_character(weights_TX: np.ndarray, encoded: Encoded, text: bytes) -> np.ndarray:
    """weights_TC of the characters of `text`, UTF-8: the mean over the bytes of each of their tokens'.

    encoded: its tokens, X of them.
    """
    first_bytes = np.flatnonzero((np.frombuffer(text, dtype=np.uint8) & 0xC0) != 0x80)
    if not len(first_bytes):
        return np.zeros((len(weights_TX), 0))
    byte_weights = np.repeat(weights_TX, encoded.widths, axis=1)
    widths = np.diff([*first_bytes, len(text)])
    return np.add.reduceat(byte_weights, first_bytes, axis=1) / widths


def _by_task(contender: ExpertMixture, sums_CX: np.ndarray) -> np.ndarray:
    """Nats of whole stretches under each task: the mean over its samples of their probability. (T, ...)"""
    experts, rest = len(contender.experts), sums_CX.shape[1:]
    sums_KTX = np.moveaxis(sums_CX.reshape(experts, -1, *rest), 1, 0)
    return mixture.pool(sums_KTX.reshape(len(sums_KTX), -1)).reshape(experts, *rest)
