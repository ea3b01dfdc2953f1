"""Text that a model writes: its state reads the support set and the prompt, then it goes on by itself.

Shapes: B streams, T tokens, V vocabulary.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from metalm.errors import ConfigError, DivergedError
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.stepper import Stepper
from metalm.text.tokenizers import CharacterTokenizer, Tokenizer

_CHUNK_TOKENS = 1024  # read between two looks at the stop flag
_DRAWS = 256  # random numbers of a stream that are made at once
_COLD = 1e-9  # below this temperature the likeliest token is taken: the logits over it could overflow


def sample(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    *,
    support: bytes = b"",
    prompt: bytes = b"",
    num_bytes: int = 400,
    temperature: float = 1.0,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> Iterator[bytes]:
    """The bytes that follow `support` and `prompt` (UTF-8, not repeated), a token at a time.

    Ends with the token that reaches `num_bytes`. temperature divides the logits; 0 takes the likeliest token.
    With nothing to read it begins as after the end of a line. A character vocabulary's UNK is never drawn. A
    token need not be whole characters: `as_text` mends that. Raises ConfigError, Stopped, and DivergedError
    when the weights give no finite logits.
    """
    streams = sample_streams(
        model,
        weights,
        tokenizer,
        num_streams=1,
        support=support,
        prompt=prompt,
        num_bytes=num_bytes,
        temperature=temperature,
        seed=seed,
        should_stop=should_stop,
    )
    for [piece] in streams:
        yield piece


def sample_streams(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    *,
    num_streams: int,
    support: bytes = b"",
    prompt: bytes = b"",
    num_bytes: int = 400,
    temperature: float = 1.0,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> Iterator[list[bytes]]:
    """`num_streams` texts side by side, each from draws of its own: a token of each at a time.

    The first is what `sample` writes, and how many there are changes none of them. A text that has reached
    `num_bytes` gets b"" from then on; the last one to do so ends them all. Else as `sample`.
    """
    if temperature < 0:
        raise ConfigError(f"temperature must be 0 or more, got {temperature}")
    ids = np.concatenate([tokenizer.encode(read).ids for read in (support, prompt)])
    ids = ids if len(ids) else tokenizer.encode(b"\n").ids
    device = next(iter(weights.values())).device
    stepper = _having_read(Stepper(model, weights), torch.from_numpy(ids[:-1]).to(device), should_stop)
    tokens_B = torch.from_numpy(ids[-1:]).expand(num_streams)
    unknown_id = tokenizer.unknown_id if isinstance(tokenizer, CharacterTokenizer) else None
    pieces_V, wanted = tokenizer.pieces, [num_bytes] * num_streams
    chances = _chances(seed, num_streams)
    while max(wanted) > 0:
        stop_if(should_stop)
        logits_BV = stepper.step(tokens_B.to(device)).cpu()
        if unknown_id is not None:
            logits_BV[:, unknown_id] = -torch.inf
        tokens_B = _drawn(logits_BV, temperature, next(chances))
        drawn = tokens_B.tolist()
        if len(pieces_V) in drawn:
            raise DivergedError("the logits must be finite to draw from; the weights have diverged")
        pieces = [pieces_V[token] if n > 0 else b"" for token, n in zip(drawn, wanted, strict=True)]
        wanted = [n - len(piece) for n, piece in zip(wanted, pieces, strict=True)]
        yield pieces


def as_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """`pieces` as text, each part as soon as its characters are whole.

    Bytes that are no UTF-8 become U+FFFD; a character that the end cuts off is dropped.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text


def _having_read(stepper: Stepper, tokens_T: Tensor, should_stop: ShouldStop) -> Stepper:
    for chunk_T in tokens_T.split(_CHUNK_TOKENS) if len(tokens_T) else ():
        stop_if(should_stop)
        stepper.read(chunk_T[None])
    return stepper


def _chances(seed: int, num_streams: int) -> Iterator[Tensor]:
    """A number from [0, 1) for each stream, float64 (B, 1), token after token.

    Those of stream i follow from (seed, i). They stay so far below 1 that the summed probabilities exceed
    them, however these were rounded.
    """
    generators = [np.random.default_rng([seed, stream]) for stream in range(num_streams)]
    while True:
        numbers = np.stack([generator.random(_DRAWS) for generator in generators], axis=1)
        yield from torch.from_numpy(numbers * (1 - 1e-9))[:, :, None].unbind()


def _drawn(logits_BV: Tensor, temperature: float, chances_B1: Tensor) -> Tensor:
    """A token of each stream, (B,): the first at which the summed probabilities exceed its chance.

    It is V, which is no token, where the logits are not finite: no sum exceeds anything then.
    """
    if temperature < _COLD:
        highest_B, tokens_B = logits_BV.max(-1)
        return tokens_B.where(highest_B.isfinite(), logits_BV.shape[1])
    p_BV = torch.softmax(logits_BV / temperature, -1, dtype=torch.float64)
    return torch.searchsorted(p_BV.cumsum(-1), chances_B1, right=True)[:, 0]
