"""Text written by compiled code, many tokens a call: `stepper` and `draws` in one loop of `gru_scan.c`.

Shapes: B streams, K tokens, H hidden units, L layers, V vocabulary.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from metalm.model import native
from metalm.model.draws import COLD
from metalm.model.fast_weights import Weights
from metalm.model.passes import names_of


class CompiledWriter:
    """Some streams, each at a state of its own; `available_for` says whether there is compiled code.

    hidden_LBH: their states; tokens_B: the token that each reads next. temperature and banned: as in `draws`;
    banned is a token that is never drawn. The weights are packed when it is made.
    """

    def __init__(
        self,
        weights: Weights,
        hidden_LBH: Tensor,
        tokens_B: Tensor,
        temperature: float,
        banned: int | None = None,
    ) -> None:
        layers, streams, hidden = hidden_LBH.shape
        table = weights["embedding.weight"]
        head = weights.get("linear.weight", table)
        self._library = native.library(table.dtype)
        self._sizes = streams, layers, hidden, len(table), -1 if banned is None else banned
        by_layer = [[weights[name] for name in names_of(layer)] for layer in range(layers)]
        w_ih, _, b_ih, _ = by_layer[0]
        self._table_V3H = torch.addmm(b_ih, table, w_ih.T)
        self._recurrent = [self._packed(w_hh, recurrent=True) for _, w_hh, _, _ in by_layer]
        self._recurrent_biases = [b_hh.contiguous() for *_, b_hh in by_layer]
        self._below = [self._packed(w_ih) if layer else w_ih for layer, (w_ih, *_) in enumerate(by_layer)]
        self._below_biases = [b_ih.contiguous() for _, _, b_ih, _ in by_layer]
        self._head, self._head_bias = self._packed(head), weights["linear.bias"].contiguous()
        self._heat = table.new_tensor(temperature if temperature >= COLD else 0.0)
        self._states = torch.stack([hidden_LBH, hidden_LBH], 1).contiguous()
        self._inputs_B3H = table.new_empty(streams, 3 * hidden)
        self._logits_BV = table.new_empty(streams, len(table))
        self._tokens_B = tokens_B.to(torch.int64).clone()

    @staticmethod
    def available_for(weights: Weights) -> bool:
        """Whether these weights are where compiled code can reach them."""
        table = weights["embedding.weight"]
        return table.device.type == "cpu" and native.library(table.dtype) is not None

    def __len__(self) -> int:
        return len(self._tokens_B)

    def write(self, chances_KB: Tensor) -> Tensor:
        """The next K tokens of each stream, (K, B), see `draws.drawn`. chances_KB: float64, in [0, 1)."""
        drawn_KB = torch.empty(chances_KB.shape, dtype=torch.int64)
        layers = (self._recurrent, self._recurrent_biases, self._below, self._below_biases)
        call = native.bound(
            self._library.gru_write,
            (len(chances_KB), *self._sizes),
            self._table_V3H, *layers, self._head, self._head_bias, self._heat, self._states, self._inputs_B3H,
            self._logits_BV, chances_KB.contiguous(), self._tokens_B, drawn_KB,
        )  # fmt: skip
        if call():
            raise MemoryError("no memory to write with")
        return drawn_KB

    def _packed(self, w: Tensor, *, recurrent: bool = False) -> Tensor:
        """A matrix in the order in which the compiled code reads it."""
        outputs, inputs = w.shape
        if recurrent:
            size, sizes, pack = self._library.gru_packed_size, (inputs,), self._library.gru_pack
        else:
            size, sizes, pack = self._library.gru_rows_size, (outputs, inputs), self._library.gru_pack_rows
        packed = w.new_empty(size(*map(ctypes.c_long, sizes)))
        native.call(pack, sizes, w.contiguous(), packed)
        return packed
