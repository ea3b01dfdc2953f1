"""What each place of a text looks like: which task's expert reads the stretch around it best.

`bayes` believes by all that came before, and after a few hundred tokens it believes in one task, whatever
follows. A reader wants to see where a text changes. So this is the weighting of `posterior pool` with the
tokens around a place for a support set: it forgets what lies far, and its temperature keeps runners-up in
sight. It describes a text and predicts nothing: half of the window lies ahead.
Shapes: T tasks, K samples of each, X tokens of a text (support set and query), C characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalm.evaluate import mixture
from metalm.evaluate.experts import ExpertMixture, Mixing, Read
from metalm.learn.score import num_chars
from metalm.learn.stopping import ShouldStop, never
from metalm.text.tokenizers import Encoded

WINDOW = 64  # tokens: a line or two of text
# The modes alone: samples blur the picture and cost a reading each. The temperature keeps sister languages
# in sight of each other, however long the text is.
MIXING = Mixing(samples=0, temperature=0.03, per_token=True)


@dataclass(frozen=True)
class Resemblance:
    """What a text looks like among T meta-train tasks.

    after_support_T: how much each is believed after the whole support set. weights_TC: by the stretch around
    each character of support set and query, of which the first `support_chars` are the support set's. Weights
    add up to 1.
    """

    task_ids: tuple[str, ...]
    names: tuple[str, ...]
    after_support_T: np.ndarray
    weights_TC: np.ndarray
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
    return Resemblance(
        contender.experts.task_ids,
        contender.experts.names,
        contender.mixed(text).after_support_T,
        np.concatenate(parts, axis=1),
        num_chars(support),
        len(support),
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
    experts = len(contender.experts)
    place_X = np.arange(tokens)
    begin_X = np.maximum(place_X - window // 2, 0)
    end_X = np.minimum(place_X + (window + 1) // 2, tokens)
    sums_CX = np.concatenate([np.zeros((components, 1)), np.cumsum(text.nats_CX, axis=1)], axis=1)
    window_CX = sums_CX[:, end_X] - sums_CX[:, begin_X]
    # As for a support set, the marginal of a window is the mean over a task's samples of its probability.
    samples_KTX = window_CX.reshape(experts, -1, tokens).swapaxes(0, 1)
    window_TX = mixture.pool(samples_KTX.reshape(len(samples_KTX), -1)).reshape(experts, tokens)
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
