import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalm.evaluate.ngram import NGram, ngram_nats


@given(text=st.binary(max_size=60), context=st.binary(max_size=6), order=st.integers(1, 5))
def test_the_bytes_that_may_follow_share_one_probability(text, context, order):
    model = NGram(text, order)

    p = [model.probability(context, byte) for byte in range(256)]

    assert sum(p) == pytest.approx(1.0)
    assert min(p) > 0


def test_without_support_every_byte_costs_eight_bits():
    assert ngram_nats(b"", b"abc") == pytest.approx([math.log(256)] * 3)


def test_probabilities_are_those_of_the_formula():
    p = 1 / 256
    one = (2 + 2 * p) / (3 + 2)  # a: twice among three bytes, two of them different
    assert NGram(b"aba", 1).probability(b"", ord("a")) == pytest.approx(one)
    # After b came one byte, an a.
    assert NGram(b"aba", 2).probability(b"xb", ord("a")) == pytest.approx((1 + 1 * one) / (1 + 1))
    # No context that ends with x was seen.
    assert NGram(b"aba", 3).probability(b"bx", ord("a")) == pytest.approx(one)


def test_contexts_reach_back_into_the_support_set():
    support = b"the cat and the dog and the cat and the dog and "
    alone = ngram_nats(support, b"the cat")[0]

    assert alone < ngram_nats(support + b"x", b"the cat")[0]


def test_a_query_changes_no_count():
    nats = ngram_nats(b"ababab", b"zzzzzzzz", order=1)
    assert np.ptp(nats) == 0


def test_an_order_below_one_is_refused():
    with pytest.raises(ValueError, match="order must be 1 or more, got 0"):
        NGram(b"", 0)
