"""The one place where summed nats and counts become the numbers that people read.

Losses are stored as *summed* nats with the tokens, bytes and characters they were charged for; averages of
averages never occur. Every function takes floats, or numpy arrays / pandas Series of equal length.
"""

import math

import numpy as np

NATS_PER_BIT = math.log(2)


def nats_per_token(nats, tokens):
    """Mean natural-log loss of one predicted token. `nats` is summed over `tokens` predictions."""
    return nats / tokens


def perplexity(nats, tokens):
    """exp(nats per token): never on one axis with another vocabulary's. Overflow gives infinity."""
    with np.errstate(over="ignore"):
        return np.exp(np.asarray(nats, dtype=float) / np.asarray(tokens))[()]


def bits(nats):
    """Nats as bits."""
    return nats / NATS_PER_BIT


def bits_per_byte(nats, num_bytes):
    """Summed nats over UTF-8 bytes, in bits: the unit of every comparison, whatever the tokenizer."""
    return nats / (NATS_PER_BIT * num_bytes)


def bits_per_character(nats, chars):
    """Summed nats over characters (Unicode code points), in bits."""
    return nats / (NATS_PER_BIT * chars)
