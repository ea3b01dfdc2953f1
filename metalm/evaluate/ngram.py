"""A byte n-gram interpolated by Witten and Bell's rule: what counting alone makes of a support set.

p_k(b | c) = (n(c b) + u(c) p_{k-1}(b | c')) / (n(c) + u(c)), c' being c without its first byte, n(c) how
often the context was followed by anything, u(c) by how many different bytes; below order 1 every byte is as
likely. Source: Witten and Bell 1991, "The zero-frequency problem", method C; as interpolation in Chen and
Goodman 1999, section 2.5.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

ORDER = 5  # a context of up to four bytes: more gains nothing on tens of kilobytes


class NGram:
    """Counts of the bytes that follow every context of fewer than `order` bytes of a text."""

    def __init__(self, text: bytes, order: int = ORDER) -> None:
        if order < 1:
            raise ValueError(f"order must be 1 or more, got {order}")
        self.order = order
        self._following: list[dict[bytes, Counter[int]]] = [defaultdict(Counter) for _ in range(order)]
        for end, byte in enumerate(text):
            for length in range(min(order - 1, end) + 1):
                self._following[length][text[end - length : end]][byte] += 1

    def probability(self, context: bytes, byte: int) -> float:
        """How likely the byte is after the context; its last bytes count, as many as the order says."""
        p = 1 / 256
        for length in range(min(self.order - 1, len(context)) + 1):
            counts = self._following[length].get(context[len(context) - length :])
            if counts is None:  # nor was any longer one seen
                break
            p = (counts[byte] + len(counts) * p) / (counts.total() + len(counts))
        return p


def ngram_nats(support: bytes, query: bytes, order: int = ORDER) -> np.ndarray:
    """Nats of each byte of the query: counted on the support set, contexts reaching back into it."""
    model, stream = NGram(support, order), support + query
    begin = len(support)
    return -np.log(
        [
            model.probability(stream[max(0, at - order + 1) : at], stream[at])
            for at in range(begin, len(stream))
        ]
    )
