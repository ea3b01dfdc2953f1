"""An n-gram cache: what followed the last few bytes of a text so far, as distributions over all 256 bytes.

For contexts of rising length k, interpolated with absolute discounting:
p_k(b | c) = (max(n(c b) - D, 0) + D u(c) p_{k-1}(b | c')) / n(c), c' being the next shorter context, n(c) how
often the context was followed by anything, u(c) by how many different bytes; below the shortest every byte is
as likely, and a context that was never met says what the next shorter one does. A byte is counted only in
contexts no shorter than the longest that had been followed by it, as PPM does: short contexts so hold what
long ones could not foresee.
Sources: Ney, Essen and Kneser 1994, "On structuring probabilistic dependences in stochastic language
modelling"; Moffat 1990, "Implementing the PPM data compression scheme" (update exclusion).
Shapes: E experts (one a context length), V = 256 bytes.
"""

from __future__ import annotations

import numpy as np

# Lengths of contexts. Letters of many scripts take three bytes: 12 are four of them.
ORDERS = (0, 1, 2, 3, 4, 6, 8, 12, 16)
_DISCOUNT = 0.7
_LEAST_P = 1e-7  # what an expert may say at least: a surprise moves the mixing weights no further


class _Followers:
    """What followed a context that was met more than once. counts_V are discounted where they are not 0."""

    __slots__ = ("counts_V", "distinct", "total")

    def __init__(self, byte: int) -> None:
        self.counts_V = np.zeros(256, dtype=np.float32)
        self.distinct = self.total = 0
        self.add(byte)

    def add(self, byte: int) -> None:
        if self.counts_V[byte] == 0:
            self.distinct += 1
            self.counts_V[byte] = 1 - _DISCOUNT
        else:
            self.counts_V[byte] += 1
        self.total += 1


class NGramCache:
    """Counts of a text so far. `look`, then `learn` the byte that came, byte after byte.

    order: bytes of the longest context; -1: it says nothing. Most long contexts are met once: of those only
    the one byte is kept, so that a context takes near 200 bytes of memory.
    """

    def __init__(self, order: int) -> None:
        self.orders = tuple(k for k in ORDERS if k <= order)
        self._followers: dict[bytes, int | _Followers] = {}
        self._recent = b""
        self._p_EV = np.empty((len(self.orders), 256), dtype=np.float32)
        self._uniform_V = np.full(256, 1 / 256, dtype=np.float32)

    def look(self) -> np.ndarray:
        """(E, 256) float32: log probabilities of the next byte by contexts of rising length."""
        size = len(self._recent)
        self._contexts = [self._recent[size - k :] for k in self.orders if k <= size]
        self._met = []
        lower_V = self._uniform_V
        for p_V, context in zip(self._p_EV, self._contexts, strict=False):
            followers = self._followers.get(context)
            if followers is None:  # nor was any longer one met
                break
            self._met.append(followers)
            if isinstance(followers, int):
                np.multiply(lower_V, _DISCOUNT, out=p_V)
                p_V[followers] += 1 - _DISCOUNT
            else:
                np.multiply(lower_V, _DISCOUNT * followers.distinct, out=p_V)
                p_V += followers.counts_V
                p_V *= 1 / followers.total
            lower_V = p_V
        self._p_EV[len(self._met) :] = lower_V
        return np.log(np.maximum(self._p_EV, _LEAST_P))

    @property
    def longest(self) -> int:
        """How many of the contexts, from the shortest on, had been met at the last look."""
        return len(self._met)

    @property
    def certainty(self) -> int:
        """What followed the longest of them: 0 several bytes, or none was met; 1 one, once; 2 always one."""
        if not self._met:
            return 0
        last = self._met[-1]
        return 1 if isinstance(last, int) else 2 * (last.distinct == 1)

    def learn(self, byte: int) -> None:
        """Count the byte that came after the last look."""
        met, lowest = self._met, 0
        for place in range(len(met) - 1, 0, -1):
            followers = met[place]
            if followers == byte if isinstance(followers, int) else followers.counts_V[byte]:
                lowest = place
                break
        for place in range(lowest, len(self._contexts)):
            followers = met[place] if place < len(met) else None
            if followers is None:
                self._followers[self._contexts[place]] = byte
            elif isinstance(followers, int):
                more = self._followers[self._contexts[place]] = _Followers(followers)
                more.add(byte)
            else:
                followers.add(byte)
        self._recent = (self._recent + bytes((byte,)))[-ORDERS[-1] :]
