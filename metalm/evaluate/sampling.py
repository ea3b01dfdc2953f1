"""Text that a model writes: its state reads the support set and the prompt, then it goes on by itself."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from metalm.errors import ConfigError
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.fast_weights import Weights, run
from metalm.model.gru import GRULM
from metalm.text.tokenizers import CharacterTokenizer, Tokenizer

_CHUNK_TOKENS = 1024  # read between two looks at the stop flag


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
    token need not be whole characters: `as_text` mends that. Raises ConfigError, Stopped.
    """
    if temperature < 0:
        raise ConfigError(f"temperature must be 0 or more, got {temperature}")
    generator = torch.Generator().manual_seed(seed)
    device = next(iter(weights.values())).device
    ids = np.concatenate([tokenizer.encode(read).ids for read in (support, prompt)])
    ids = ids if len(ids) else tokenizer.encode(b"\n").ids
    logits_V, hidden_LBH = _read(model, weights, torch.from_numpy(ids).to(device), should_stop)
    while num_bytes > 0:
        stop_if(should_stop)
        token = _draw(_allowed(logits_V, tokenizer), temperature, generator)
        piece = tokenizer.token_bytes(token)
        num_bytes -= len(piece)
        yield piece
        logits_V, hidden_LBH = _step(model, weights, torch.tensor([token], device=device), hidden_LBH)


def as_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """`pieces` as text, each part as soon as its characters are whole.

    Bytes that are no UTF-8 become U+FFFD; a character that the end cuts off is dropped.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text


def _read(model: GRULM, weights: Weights, tokens_T: Tensor, should_stop: ShouldStop) -> tuple[Tensor, Tensor]:
    """The logits of what follows the tokens, and the state after them."""
    hidden_LBH = None
    for chunk_T in tokens_T.split(_CHUNK_TOKENS):
        stop_if(should_stop)
        logits_V, hidden_LBH = _step(model, weights, chunk_T, hidden_LBH)
    return logits_V, hidden_LBH


@torch.no_grad()
def _step(
    model: GRULM, weights: Weights, tokens_T: Tensor, hidden_LBH: Tensor | None
) -> tuple[Tensor, Tensor]:
    logits_BTV, hidden_LBH = run(model, weights, tokens_T[None], hidden_LBH)
    return logits_BTV[0, -1].cpu(), hidden_LBH


def _allowed(logits_V: Tensor, tokenizer: Tokenizer) -> Tensor:
    if isinstance(tokenizer, CharacterTokenizer):
        logits_V = logits_V.clone()
        logits_V[tokenizer.unknown_id] = -torch.inf
    return logits_V


def _draw(logits_V: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits_V.argmax())
    # In float64, and from the largest down: a low temperature overflows nothing.
    scaled_V = (logits_V.double() - logits_V.max()) / temperature
    return int(torch.multinomial(scaled_V.softmax(0), 1, generator=generator))
