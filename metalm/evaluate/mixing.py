"""Logistic mixing: several distributions over the same symbols as one, by weights that learn online.

p is proportional to prod_i p_i^{w_i} and normalised over all symbols, so its nats are an exact code length.
Once a symbol b was charged the weights go down the gradient of its nats, E_p[log p_i] - log p_i(b). They are
a sum over selectors: each has several sets and picks one by what is known beforehand; those picked learn.
Sources: Mahoney 2005, "Adaptive weighing of context models for lossless data compression" (PAQ), whose mixing
of bits this is for more symbols than two; Hinton 2002, products of experts.
Shapes: E experts, V symbols, K sets of a selector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


class Mixer:
    """The weights and what they learn.

    starts: of each selector its sets (K, E) as they begin. rate: step size; 0 leaves the weights as they are.
    Every `mix` is followed by the `learn` of the symbol that came.
    """

    def __init__(self, starts: Sequence[np.ndarray], rate: float) -> None:
        self._selectors = [np.array(sets_KE, dtype=np.float64) for sets_KE in starts]
        self._rate = rate

    def mix(self, log_p_EV: np.ndarray, sets: Sequence[int]) -> np.ndarray:
        """(V,) log probabilities of the mixture, float64. sets: which set each selector picks.

        log_p_EV: log probabilities of each expert, up to a constant of each. They are not kept.
        """
        self._log_p_EV = log_p_EV.astype(np.float64)
        self._picked = [selector[row] for selector, row in zip(self._selectors, sets, strict=True)]
        z_V = sum(self._picked) @ self._log_p_EV
        z_V -= z_V.max()
        p_V = np.exp(z_V)
        total = p_V.sum()
        self._p_V = p_V / total
        return z_V - math.log(total)

    def learn(self, symbol: int) -> None:
        """Move the weights that mixed last towards the symbol."""
        if self._rate:
            step_E = self._log_p_EV[:, symbol] - self._log_p_EV @ self._p_V
            step_E *= self._rate
            for weights_E in self._picked:
                weights_E += step_E
