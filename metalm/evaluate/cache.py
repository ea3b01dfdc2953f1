"""An n-gram cache: what followed the last few bytes of a text so far, as distributions over all 256 bytes.

For contexts of rising length k, interpolated with absolute discounting:
p_k(b | c) = (max(n(c b) - D, 0) + D u(c) p_{k-1}(b | c')) / n(c), c' being the next shorter context, n(c) how
often the context was followed by anything, u(c) by how many different bytes; below the shortest every byte is
as likely, and a context that was never met says what the next shorter one does. A byte is counted only in
contexts no shorter than the longest that had been followed by it, as PPM does: short contexts so hold what
long ones could not foresee. Beside them stand the word so far, and that with the word before, counted always.
Sources: Ney, Essen and Kneser 1994, "On structuring probabilistic dependences in stochastic language
modelling"; Moffat 1990, "Implementing the PPM data compression scheme" (update exclusion); word contexts as
in PAQ (Mahoney 2005).
Shapes: E experts (one a context), V = 256 bytes.
"""

from __future__ import annotations

import numpy as np

# Lengths of contexts. Letters of many scripts take three bytes: 12 are four of them.
ORDERS = (0, 1, 2, 3, 4, 6, 8, 12, 16)
_UNDER_WORDS = 4  # of those, how many carry the word so far
_WORD_BYTES = 32  # of a word; where none ends, as in Japanese, it is the last so many bytes
_IN_WORDS = frozenset(byte for byte in range(256) if byte >= 128 or chr(byte).isalnum())
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


# Most long contexts are met once: of those only the one byte is kept.
_Met = int | _Followers


def _interpolate(met: _Met, lower_V: np.ndarray, p_V: np.ndarray) -> None:
    """Write into p_V what the context says over `lower_V`."""
    if isinstance(met, int):
        np.multiply(lower_V, _DISCOUNT, out=p_V)
        p_V[met] += 1 - _DISCOUNT
    else:
        np.multiply(lower_V, _DISCOUNT * met.distinct, out=p_V)
        p_V += met.counts_V
        p_V *= 1 / met.total


def _counted(met: _Met | None, byte: int) -> _Met:
    """The same with one byte more."""
    if met is None:
        return byte
    if isinstance(met, int):
        met = _Followers(met)
    met.add(byte)
    return met


class NGramCache:
    """Counts of a text so far. `look`, then `learn` the byte that came, byte after byte.

    order: bytes of the longest context; -1: it says nothing. words: whether words are contexts too.
    Memory: about 1.3 kB for each byte of a text of natural language.
    """

    def __init__(self, order: int, *, words: bool = True) -> None:
        self.orders = tuple(k for k in ORDERS if k <= order)
        self._recent, self._word, self._word_before = b"", b"", b""
        self._after: dict[bytes, _Met] = {}
        self._after_words: dict[tuple[bytes, ...], _Met] = {}
        self._has_words = words and order >= 0
        self.num_experts = len(self.orders) + 2 * self._has_words
        # The first row is below all contexts, and stays as it is.
        self._p_EV = np.full((1 + self.num_experts, 256), 1 / 256, dtype=np.float32)

    def look(self) -> np.ndarray:
        """(E, 256) float32: log probabilities of the next byte, by contexts of rising length, then words."""
        size, p_EV = len(self._recent), self._p_EV
        self._contexts = [self._recent[size - k :] for k in self.orders if k <= size]
        self._met = []
        for row, context in enumerate(self._contexts):
            met = self._after.get(context)
            if met is None:  # nor was any longer one met
                break
            self._met.append(met)
            _interpolate(met, p_EV[row], p_EV[row + 1])
        longest = len(self._met)
        p_EV[longest + 1 : len(self.orders) + 1] = p_EV[longest]
        if self._has_words:
            lower_V = p_EV[min(_UNDER_WORDS, len(self.orders))]
            self._words = (self._word,), (self._word_before, self._word)
            for context, p_V in zip(self._words, p_EV[-2:], strict=True):
                met = self._after_words.get(context)
                if met is None:
                    p_V[:] = lower_V
                else:
                    _interpolate(met, lower_V, p_V)
                lower_V = p_V
        return np.log(np.maximum(p_EV[1:], _LEAST_P))

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
        lowest = 0
        for place in range(len(self._met) - 1, 0, -1):
            met = self._met[place]
            if met == byte if isinstance(met, int) else met.counts_V[byte]:
                lowest = place
                break
        for context in self._contexts[lowest:]:
            self._after[context] = _counted(self._after.get(context), byte)
        self._recent = (self._recent + bytes((byte,)))[-ORDERS[-1] :]
        if self._has_words:
            for context in self._words:
                self._after_words[context] = _counted(self._after_words.get(context), byte)
            if byte in _IN_WORDS:
                self._word = (self._word + bytes((byte,)))[-_WORD_BYTES:]
            elif self._word:
                self._word_before, self._word = self._word, b""
