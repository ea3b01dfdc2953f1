from collections import Counter
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.evaluate.cache import ORDERS, NGramCache

TEXTS = st.lists(st.sampled_from(b"abc "), max_size=80).map(bytes)


def said(order, text, words=False):
    """What a cache says before each byte of a text, and of what would follow it."""
    cache, found = NGramCache(order, words=words), []
    for byte in text:
        found.append(cache.look())
        cache.learn(byte)
    return [*found, cache.look()]


def over(counts, lower, discount=0.7):
    """What a context says, given what followed it and what a shorter one says."""
    p = discount * len(counts) / counts.total() * lower
    for byte, count in counts.items():
        p[byte] += (count - discount) / counts.total()
    return p


def by_formula(text, orders):
    """p (E, 256) of what follows a text, from plain dictionaries: see `metalm.evaluate.cache`."""
    following: dict[bytes, Counter] = {}
    for end, byte in enumerate(text):
        contexts = [text[end - k : end] for k in orders if k <= end]
        followed = [place for place, c in enumerate(contexts) if following.get(c, Counter())[byte]]
        for context in contexts[max(followed, default=0) :]:
            following.setdefault(context, Counter())[byte] += 1
    p, rows = np.full(256, 1 / 256), []
    for k in orders:
        counts = following.get(text[len(text) - k :]) if k <= len(text) else None
        p = over(counts, p) if counts else p
        rows.append(p)
    return np.array(rows)


@given(text=TEXTS, order=st.sampled_from(ORDERS))
def test_probabilities_are_those_of_the_formula(text, order):
    expected = by_formula(text, [k for k in ORDERS if k <= order])
    assert np.exp(said(order, text)[-1]) == pytest.approx(np.maximum(expected, 1e-7), rel=1e-4)


@pytest.mark.parametrize("order", [0, 16])
def test_words_are_contexts_too_wherever_they_stand(order):
    text = "Der Bär, der Tee. der Tee: der Bär und der B".encode()
    *contexts, word, two_words = np.exp(said(order, text, words=True)[-1])

    one = over(Counter({0xC3: 2}), contexts[3 if order else 0])  # after B came the first byte of ä, twice
    assert word == pytest.approx(one, rel=1e-4)
    assert two_words == pytest.approx(over(Counter({0xC3: 1}), one), rel=1e-4)  # after "der B", once


def test_of_a_word_that_does_not_end_the_last_bytes_count():
    text = b"a" * 50 + b"x" + b"a" * 40
    # Once of 28 times, though the second time there were other letters before.
    assert np.exp(said(0, text, words=True)[-1][1, ord("x")]) > 0.3 / 28


@settings(max_examples=50)
@given(text=st.binary(max_size=80), order=st.integers(0, 16))
def test_every_context_gives_a_distribution(text, order):
    for log_p in said(order, text, words=True):
        assert np.exp(log_p.astype(np.float64)).sum(axis=1) == pytest.approx(1.0, abs=1e-4)


@given(text=TEXTS, ends=st.tuples(TEXTS, TEXTS))
def test_what_it_says_does_not_follow_from_what_comes(text, ends):
    one, other = (said(16, text + end, words=True)[: len(text) + 1] for end in ends)
    assert np.array_equal(one, other)


def test_without_a_context_it_says_nothing():
    assert said(-1, b"abc", words=True)[-1].shape == (0, 256)


def test_longest_and_certainty_tell_how_far_it_can_be_trusted():
    def after(text):
        cache = NGramCache(4)
        for byte in text:
            cache.look()
            cache.learn(byte)
        cache.look()
        return cache.longest, cache.certainty

    assert after(b"") == (0, 0)
    assert after(b"x") == (1, 1)  # the empty context, followed by an x
    assert after(b"xyzx") == (2, 1)  # x, followed by a y
    assert after(b"xyzxyzx") == (5, 1)  # yzx and what is shorter; zxyzx is longer than 4
    assert after(b"xyxyxyxy") == (5, 2)
    assert after(b"xaxbx") == (2, 0)


def test_on_real_text_the_long_contexts_find_repetitions_that_the_short_ones_cannot():
    text = (resources.files("metalm") / "samples/languages/el.txt").read_bytes()[:6000]
    log_p = np.array(said(16, text)[:-1])
    nats = -log_p[np.arange(len(text)), :, list(text)].mean(axis=0)
    assert nats[ORDERS.index(16)] < nats[ORDERS.index(4)] < nats[ORDERS.index(0)]
