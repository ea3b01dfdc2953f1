"""Tokens drawn from logits, each from a chance of its own, so that a text follows from its seed alone.

Shapes: B streams, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metalm.model import native

_COLD = 1e-9  # below this temperature the likeliest token is taken: the logits over it could overflow


class Drawer:
    """Draws again and again from `logits_BV`, on the CPU, which is to be filled before each draw."""

    def __init__(self, logits_BV: Tensor, temperature: float) -> None:
        self.logits_BV = logits_BV
        self._temperature = temperature
        self._chances_B = torch.zeros(len(logits_BV), dtype=torch.float64)
        self._tokens_B = torch.zeros(len(logits_BV), dtype=torch.int64)
        self._heat = logits_BV.new_tensor(temperature)
        library = native.library(logits_BV.dtype)
        self._call = None
        if library is not None and temperature >= _COLD:
            arrays = logits_BV, self._heat, self._chances_B, self._tokens_B
            self._call = native.bound(library.gru_draw, tuple(logits_BV.shape), *arrays)

    def draw(self, chances_B: Tensor) -> Tensor:
        """A token of each stream, (B,): the first whose summed probabilities exceed its chance of the sum.

        chances_B: float64, in [0, 1). It is V, which is no token, where logits are not finite (but for -inf,
        the logit of what is never drawn). The next draw may overwrite it.
        """
        if self._call is not None:
            self._chances_B.copy_(chances_B)
            if self._call():
                raise MemoryError("no memory for a draw")
            return self._tokens_B
        if self._temperature < _COLD:
            highest_B, tokens_B = self.logits_BV.max(-1)
            return tokens_B.where(highest_B.isfinite(), self.logits_BV.shape[1])
        p_BV = torch.softmax(self.logits_BV / self._temperature, -1, dtype=torch.float64).cumsum(-1)
        # However the sum was rounded, it exceeds what is looked for.
        return torch.searchsorted(p_BV, chances_B[:, None] * p_BV[:, -1:], right=True)[:, 0]
