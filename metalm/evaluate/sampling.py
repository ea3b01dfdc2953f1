"""Text that a model writes: its state reads the support set and the prompt, then it goes on by itself.

Shapes: B streams, T tokens, V vocabulary.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalm.errors import ConfigError, DivergedError
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.draws import drawn, nucleus
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.stepper import Stepper, state_after
from metalm.model.threads import each
from metalm.model.writer import CompiledWriter, PackedNetwork
from metalm.text.tokenizers import CharacterTokenizer, Tokenizer

MAX_TEMPERATURE = 1000  # every token is as likely long before
_CHUNK_TOKENS = 1024  # read between two looks at the stop flag
_AT_ONCE = 16  # tokens of a stream that are written between two looks at the stop flag
_STREAMS_OF_A_THREAD = 8  # at least: fewer take as long


def sample(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    *,
    support: bytes = b"",
    prompt: bytes = b"",
    num_bytes: int = 400,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> Iterator[bytes]:
    """The bytes that follow `support` and `prompt` (UTF-8, not repeated), a token at a time.

    Ends with the token that reaches `num_bytes`. temperature divides the logits; 0 takes the likeliest token.
    top_p: draw from the fewest likeliest tokens whose probabilities come to it; 1 draws from all.
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
        top_p=top_p,
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
    top_p: float = 1.0,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> Iterator[list[bytes]]:
    """`num_streams` texts side by side, each from draws of its own: a token of each at a time.

    The first is what `sample` writes, and how many there are changes none of them. A text that has reached
    `num_bytes` gets b"" from then on; the last one to do so ends them all. Else as `sample`.
    """
    if not 0 <= temperature <= MAX_TEMPERATURE:
        raise ConfigError(f"temperature must be 0 to {MAX_TEMPERATURE}, got {temperature}")
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p must be above 0 and at most 1, got {top_p}")
    ids = np.concatenate([tokenizer.encode(read).ids for read in (support, prompt)])
    ids = ids if len(ids) else tokenizer.encode(b"\n").ids
    device = next(iter(weights.values())).device
    hidden_LBH = _read(model, weights, torch.from_numpy(ids[:-1]).to(device), should_stop)
    unknown_id = tokenizer.unknown_id if isinstance(tokenizer, CharacterTokenizer) else None
    first_B = torch.from_numpy(ids[-1:]).expand(num_streams)
    writers = _writers(model, weights, hidden_LBH, first_B, _Draws(temperature, top_p, unknown_id))
    pieces_V, wanted = tokenizer.pieces, [num_bytes] * num_streams
    chances = _chances(seed, num_streams)
    while max(wanted) > 0:
        stop_if(should_stop)
        # A token has a byte at least: no more of them are needed than bytes are wanted.
        for drawn_B in _written(writers, next(chances)[: max(wanted)]):
            if len(pieces_V) in drawn_B:
                raise DivergedError("the logits must be finite to draw from; the weights have diverged")
            pieces = [pieces_V[token] if n > 0 else b"" for token, n in zip(drawn_B, wanted, strict=True)]
            wanted = [n - len(piece) for n, piece in zip(wanted, pieces, strict=True)]
            yield pieces
            if max(wanted) <= 0:
                return


def as_text(pieces: Iterable[bytes]) -> Iterator[str]:
    """`pieces` as text, each part as soon as its characters are whole.

    Bytes that are no UTF-8 become U+FFFD; a character that the end cuts off is dropped.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text


def _read(model: GRULM, weights: Weights, tokens_T: Tensor, should_stop: ShouldStop) -> Tensor:
    """The state of one stream, hidden_LBH, after what is read."""
    hidden_LBH = next(iter(weights.values())).new_zeros((model.config.layers, 1, model.config.hidden))
    for chunk_T in tokens_T.split(_CHUNK_TOKENS) if len(tokens_T) else ():
        stop_if(should_stop)
        hidden_LBH = state_after(weights, chunk_T[None], hidden_LBH)
    return hidden_LBH


@dataclass(frozen=True)
class _Draws:
    """How tokens are drawn. banned: a token that never is."""

    temperature: float
    top_p: float
    banned: int | None


class _Writer:
    """Some of the streams, on one thread, where compiled code cannot; see `CompiledWriter`."""

    def __init__(self, stepper: Stepper, tokens_B: Tensor, draws: _Draws) -> None:
        self._stepper, self._tokens_B, self._draws = stepper, tokens_B, draws

    def __len__(self) -> int:
        return len(self._tokens_B)

    def write(self, chances_KB: Tensor) -> Tensor:
        """The next K tokens of each, (K, B)."""
        return torch.stack([self._next(chances_B) for chances_B in chances_KB])

    def _next(self, chances_B: Tensor) -> Tensor:
        logits_BV = self._stepper.step(self._tokens_B).cpu()
        if self._draws.banned is not None:
            logits_BV[:, self._draws.banned] = -torch.inf
        logits_BV = nucleus(logits_BV, self._draws.temperature, self._draws.top_p)
        drawn_B = drawn(logits_BV, self._draws.temperature, chances_B)
        # Whoever reads "no token" ends it all; until then any will do.
        self._tokens_B = drawn_B.clamp(max=logits_BV.shape[1] - 1)
        return drawn_B


def _writers(
    model: GRULM, weights: Weights, hidden_LBH: Tensor, tokens_B: Tensor, draws: _Draws
) -> list[_Writer | CompiledWriter]:
    """The streams, shared out among the threads, each going on from one state."""
    parts = tokens_B.split(_shares(len(tokens_B), hidden_LBH.device))
    if draws.top_p < 1 or not PackedNetwork.available_for(weights):  # compiled code draws from all
        return [_Writer(Stepper(model, weights, hidden_LBH), part, draws) for part in parts]
    network = PackedNetwork(weights)
    return [
        CompiledWriter(network, hidden_LBH.expand(-1, len(part), -1), part, draws.temperature, draws.banned)
        for part in parts
    ]


def _shares(num_streams: int, device: torch.device) -> list[int]:
    """How many streams each thread writes."""
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    threads = max(1, min(threads, num_streams // _STREAMS_OF_A_THREAD))
    return [num_streams * (i + 1) // threads - num_streams * i // threads for i in range(threads)]


def _written(writers: list[_Writer | CompiledWriter], chances_KB: Tensor) -> list[list[int]]:
    """The next K tokens of all streams, token after token."""
    shares_KB = chances_KB.split([len(writer) for writer in writers], 1)
    work = [(writer, share.contiguous()) for writer, share in zip(writers, shares_KB, strict=True)]
    if len(work) == 1:
        return work[0][0].write(work[0][1]).tolist()
    return torch.cat(each(lambda pair: pair[0].write(pair[1]), work, len(work)), 1).tolist()


def _chances(seed: int, num_streams: int) -> Iterator[Tensor]:
    """Numbers from [0, 1) for the next tokens of every stream, float64 (K, B), for ever.

    Those of stream i follow from (seed, i).
    """
    generators = [np.random.default_rng([seed, stream]) for stream in range(num_streams)]
    while True:
        yield torch.from_numpy(np.stack([generator.random(_AT_ONCE) for generator in generators], axis=1))
