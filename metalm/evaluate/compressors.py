"""General compressors as contenders of the online track: they learn while they code.

A query costs what it adds to the length of the compressed support set, so that headers and the flush at the
end, which both lengths hold, cancel out; lengths are whole bytes.
Sources: PPMd, Shkarin 2002, "PPM: one step to practicality", variant H as in 7-Zip; xz: LZMA2.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Callable
from functools import lru_cache

import pyppmd

Compress = Callable[[bytes], bytes]

PPMD_ORDER = 6
_PPMD_MEMORY = 256 << 20  # more than any model of these texts takes: it is never restarted
_XZ_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def ppmd(data: bytes) -> bytes:
    """PPMd of order 6."""
    encoder = pyppmd.Ppmd7Encoder(PPMD_ORDER, _PPMD_MEMORY)
    return encoder.encode(data) + encoder.flush()


def xz(data: bytes) -> bytes:
    """LZMA2 at its strongest, without a container."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_XZ_FILTERS)


def added_nats(compress: Compress, primer: bytes, query: bytes) -> float:
    """Nats that coding the query takes after the primer: of the bytes that it adds."""
    bits = 8 * (len(compress(primer + query)) - _length(compress, primer))
    return bits * math.log(2)


# Without a support set the primer is the same for every task; it may be megabytes, so one alone is kept.
@lru_cache(maxsize=1)
def _length(compress: Compress, data: bytes) -> int:
    return len(compress(data))
