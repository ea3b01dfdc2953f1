"""Tokens drawn from logits, each from a chance of its own, so that a text follows from its seed alone.

Shapes: B streams, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

COLD = 1e-9  # below this temperature the likeliest token is taken: the logits over it could overflow


def drawn(logits_BV: Tensor, temperature: float, chances_B: Tensor) -> Tensor:
    """A token of each stream, (B,): the first whose summed probabilities exceed its chance of the sum.

    chances_B: float64, in [0, 1). It is V, which is no token, where logits are not finite (but for -inf, the
    logit of what is never drawn).
    """
    if temperature < COLD:
        highest_B, tokens_B = logits_BV.max(-1)
        return tokens_B.where(highest_B.isfinite(), logits_BV.shape[1])
    p_BV = torch.softmax(logits_BV / temperature, -1, dtype=torch.float64).cumsum(-1)
    # However the sum was rounded, it exceeds what is looked for.
    return torch.searchsorted(p_BV, chances_B[:, None] * p_BV[:, -1:], right=True)[:, 0]


def nucleus(logits_BV: Tensor, temperature: float, top_p: float) -> Tensor:
    """The logits of the fewest likeliest tokens whose probabilities come to `top_p`, -inf for all others.

    At least the likeliest stays. Source: Holtzman et al. 2020, "The curious case of neural text degeneration"
    (arXiv:1904.09751).
    """
    if top_p >= 1 or temperature < COLD:
        return logits_BV
    p_BV, order_BV = torch.softmax(logits_BV / temperature, -1, dtype=torch.float64).sort(-1, descending=True)
    spare_BV = p_BV.cumsum(-1) - p_BV >= top_p  # what comes before it is enough
    return logits_BV.masked_fill(torch.zeros_like(spare_BV).scatter(-1, order_BV, spare_BV), -torch.inf)
