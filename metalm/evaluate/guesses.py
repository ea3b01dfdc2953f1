"""What a model would rather have read: its best guesses at every character of a query set, and their chances.

A guess is a whole character, or a token of several, even where tokens are bytes: what begins a character is
completed by a beam search. A guess that beats the last one of those found is always followed, so that none is
missed but by the beam's width.
Shapes: P places in the query, V vocabulary, L layers, B rows of the beam, H hidden units.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.stepper import Stepper, state_after
from metalm.text.tokenizers import CharacterTokenizer, Tokenizer

BEST = 5
_BEAM = 8  # beginnings of a character that are followed at a place, and ways on that are tried for each
_MOST_TOKENS = 4  # of a character: as many as the longest has bytes
_PLACES_AT_ONCE = 256


@dataclass(frozen=True)
class Guesses:
    """The best guesses at each of the C characters of a query set, the likeliest first.

    texts: each guess once. places: of each character's guesses in `texts`; chances: how likely each is. A
    character inside a token of several has the guesses of that token.
    """

    texts: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    chances: tuple[tuple[float, ...], ...]

    def at(self, character: int) -> list[tuple[str, float]]:
        """The guesses at one character."""
        here = zip(self.places[character], self.chances[character], strict=True)
        return [(self.texts[place], chance) for place, chance in here]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "texts": list(self.texts),
            "places": [list(row) for row in self.places],
            "chances": [[round(chance, 5) for chance in row] for row in self.chances],
        }


@dataclass
class _Place:
    """A place in the query: the whole guesses that were found."""

    found: dict[str, float] = field(default_factory=dict)

    def add(self, text: str, nats: float) -> None:
        """One more way to write `text`: tokens may spell it in several."""
        self.found[text] = self.found.get(text, 0.0) + math.exp(-nats)

    def best(self) -> list[tuple[str, float]]:
        return sorted(self.found.items(), key=lambda item: -item[1])[:BEST]

    def bar(self) -> float:
        """What a guess must exceed to be among the best."""
        best = self.best()
        return best[-1][1] if len(best) == BEST else 0.0


@dataclass(frozen=True)
class _Start:
    """A beginning of a character. row: of the states that it goes on from."""

    place: _Place
    data: bytes
    nats: float
    token: int
    row: int


@torch.no_grad()
def guesses(
    model: GRULM,
    weights: Weights,
    tokenizer: Tokenizer,
    support: bytes,
    query: bytes,
    *,
    should_stop: ShouldStop = never,
) -> Guesses:
    """What the model expects at each character of `query` after it has read `support` and all before it.

    Without a support set there is nothing to expect the first token from. Raises Stopped.
    """
    encoded, read = tokenizer.encode(query), tokenizer.encode(support).ids
    # The token that holds the first byte of each character.
    first_bytes = np.flatnonzero((np.frombuffer(query, dtype=np.uint8) & 0xC0) != 0x80)
    tokens = np.searchsorted(np.cumsum(encoded.widths), first_bytes, side="right")
    known = {}
    ids = np.concatenate([read, encoded.ids]).astype(np.int64)
    beam = _Beam(model, weights, tokenizer)
    wanted = {len(read) + int(token) for token in tokens} - {0}
    for block in _blocks(_states(model, weights, ids, wanted)):
        stop_if(should_stop)
        numbers, states_LPH, logits_PV = block
        for number, place in zip(numbers, beam.places(states_LPH, logits_PV), strict=True):
            known[number] = place.best()
    return _packed([known.get(len(read) + int(token), []) for token in tokens])


def _states(
    model: GRULM, weights: Weights, ids: np.ndarray, wanted: set[int]
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(number, state_LBH, logits_BV) before each wanted token of one stream."""
    if not wanted:
        return
    begin, device = min(wanted) - 1, next(iter(weights.values())).device
    hidden_LBH = next(iter(weights.values())).new_zeros((model.config.layers, 1, model.config.hidden))
    tokens_T = torch.from_numpy(ids).to(device)
    if begin:
        hidden_LBH = state_after(weights, tokens_T[None, :begin], hidden_LBH)
    stepper = Stepper(model, weights, hidden_LBH)
    for number in range(begin + 1, max(wanted) + 1):
        logits_BV = stepper.step(tokens_T[number - 1 : number])
        if number in wanted:
            yield number, stepper.hidden_LBH, logits_BV.clone()


def _blocks(
    states: Iterator[tuple[int, Tensor, Tensor]],
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Many places together."""
    block: list[tuple[int, Tensor, Tensor]] = []
    for state in states:
        block.append(state)
        if len(block) == _PLACES_AT_ONCE:
            yield _joined(block)
            block = []
    if block:
        yield _joined(block)


def _joined(block: list[tuple[int, Tensor, Tensor]]) -> tuple[list[int], Tensor, Tensor]:
    numbers, states, logits = zip(*block, strict=True)
    return list(numbers), torch.cat(states, 1), torch.cat(logits)


class _Beam:
    """Completes beginnings of characters, many places side by side."""

    def __init__(self, model: GRULM, weights: Weights, tokenizer: Tokenizer) -> None:
        self._model, self._weights, self._pieces = model, weights, tokenizer.pieces
        self._banned = tokenizer.unknown_id if isinstance(tokenizer, CharacterTokenizer) else None
        kinds = [_whole(piece) for piece in self._pieces]
        self._whole_V = torch.tensor([kind is True for kind in kinds])
        self._start_V = torch.tensor([kind is None for kind in kinds])

    def places(self, states_LPH: Tensor, logits_PV: Tensor) -> list[_Place]:
        """The guesses of each place that has this state, and expects this."""
        nats_PV = self._nats(logits_PV)
        found = [_Place() for _ in range(len(nats_PV))]
        starts = [_Start(place, b"", 0.0, 0, row) for row, place in enumerate(found)]
        live = self._next(starts, nats_PV.masked_fill(~self._whole_V, torch.inf), BEST)
        live += self._next(starts, nats_PV.masked_fill(~self._start_V, torch.inf), _BEAM)
        for _ in range(_MOST_TOKENS - 1):
            live = [start for start in live if math.exp(-start.nats) > start.place.bar()]
            if not live:
                break
            rows, tokens_B = [start.row for start in live], torch.tensor([start.token for start in live])
            stepper = Stepper(self._model, self._weights, states_LPH[:, rows])
            nats_BV = self._nats(stepper.step(tokens_B))
            states_LPH = stepper.hidden_LBH
            live = self._next(
                [_Start(s.place, s.data, s.nats, 0, row) for row, s in enumerate(live)], nats_BV
            )
        return found

    def _next(self, starts: list[_Start], nats_BV: Tensor, width: int = _BEAM) -> list[_Start]:
        """One more token to each beginning: whole guesses are kept at their place, the others returned."""
        cheapest_BW, tokens_BW = nats_BV.topk(min(width, nats_BV.shape[1]), largest=False)
        live = []
        for start, nats_W, tokens_W in zip(starts, cheapest_BW.tolist(), tokens_BW.tolist(), strict=True):
            for nats, token in zip(nats_W, tokens_W, strict=True):
                data = start.data + self._pieces[token]
                kind = _whole(data) if math.isfinite(nats) else False
                if kind:
                    start.place.add(data.decode(), start.nats + nats)
                elif kind is None:
                    live.append(_Start(start.place, data, start.nats + nats, token, start.row))
        return live

    def _nats(self, logits_BV: Tensor) -> Tensor:
        nats_BV = -torch.log_softmax(logits_BV.double(), -1).cpu()
        if self._banned is not None:
            nats_BV[:, self._banned] = torch.inf
        return nats_BV


def _whole(data: bytes) -> bool | None:
    """Whether bytes are whole characters: None where they only begin one, False where they are no UTF-8."""
    try:
        text = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return False
    return True if text[1] == len(data) and data else None


def _packed(rows: list[list[tuple[str, float]]]) -> Guesses:
    texts: dict[str, int] = {}
    places = tuple(tuple(texts.setdefault(text, len(texts)) for text, _ in row) for row in rows)
    return Guesses(tuple(texts), places, tuple(tuple(chance for _, chance in row) for row in rows))
