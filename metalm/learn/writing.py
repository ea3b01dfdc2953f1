"""Made-up scripts: a task's text as it would look in letters that nobody has seen.

The letters of ASCII become made-up characters of two or three bytes in UTF-8's form, and all bytes that are
no ASCII change places with others of their kind (lead bytes of two, of three, and continuation bytes). So the
structure of the text stays, and which byte means what must be learned anew from the support set: what a model
meets in a task of an unknown script, as often as it is wanted. After the permuted labels of few-shot
classification (Santoro et al. 2016, arXiv:1605.06065, section 4.1; Rajendran et al. 2020, arXiv:2007.05549).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from metalm.learn.inner import SupportSet
from metalm.learn.windows import Batch, Episode, Streams, Visit

_LETTERS = np.array([*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)])
_CONTINUATION, _LEADS_OF_2, _LEADS_OF_3 = np.arange(0x80, 0xC0), np.arange(0xC2, 0xE0), np.arange(0xE0, 0xF0)
_BLOCKS = 2  # of 64 characters that share all bytes but the last: as the letters of most scripts do

Writing = list[bytes]  # what each of the 256 bytes becomes


def made_up(rng: np.random.Generator) -> Writing:
    """A script: one for one in a third of them, else letters of two or of three bytes."""
    places = np.arange(256)
    for kind in (_CONTINUATION, _LEADS_OF_2, _LEADS_OF_3):
        places[kind] = rng.permutation(kind)
    width = int(rng.integers(1, 4))
    if width == 1:
        places[_LETTERS] = rng.permutation(_LETTERS)
        return [bytes([place]) for place in places]
    written = [bytes([place]) for place in places]
    if width == 2:
        blocks = [bytes([lead]) for lead in rng.choice(_LEADS_OF_2, _BLOCKS, replace=False)]
    else:
        lead = int(rng.choice(_LEADS_OF_3))
        blocks = [bytes([lead, second]) for second in rng.choice(_CONTINUATION, _BLOCKS, replace=False)]
    room = [block + bytes([last]) for block in blocks for last in _CONTINUATION]
    for letter, place in zip(_LETTERS, rng.permutation(len(room)), strict=False):
        written[letter] = room[place]
    return written


def rewritten(tokens_BT: Tensor, writing: Writing) -> Tensor:
    """Windows of bytes (B, T) in another script, each cut to the length that it had."""
    rows, length = tokens_BT.cpu().tolist(), tokens_BT.shape[-1]
    texts = [b"".join([writing[byte] for byte in row])[:length] for row in rows]
    found = np.frombuffer(b"".join(texts), dtype=np.uint8).reshape(tokens_BT.shape)
    return torch.from_numpy(found.astype(np.int64)).to(tokens_BT.device)


def in_script(visit: Visit, writing: Writing) -> Visit:
    """The visit with all that it reads in another script."""
    match visit:
        case Episode():
            support = SupportSet(rewritten(visit.support.windows_NT, writing))
            return replace(visit, support=support, query_BT=rewritten(visit.query_BT, writing))
        case Batch():
            return replace(visit, windows_BT=rewritten(visit.windows_BT, writing))
        case Streams():
            return replace(visit, tokens_BT=rewritten(visit.tokens_BT, writing))
    raise TypeError(f"no visit of tokens: {type(visit).__name__}")
