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


class PackedNetwork:
    """Weights in the order in which the compiled code reads them; `available_for` says whether there is any.

    They are copied: any number of writers may use them.
    """

    def __init__(self, weights: Weights) -> None:
        table = weights["embedding.weight"]
        by_layer = []
        while names_of(len(by_layer))[0] in weights:
            by_layer.append([weights[name].detach() for name in names_of(len(by_layer))])
        w_ih, w_hh, b_ih, _ = by_layer[0]
        self.library = native.library(table.dtype)
        self.hidden, self.vocab_size = w_hh.shape[1], len(table)
        self.table_V3H = torch.addmm(b_ih, table.detach(), w_ih.T)
        self.head = self._packed(weights.get("linear.weight", table).detach())
        self.head_bias = weights["linear.bias"].detach().contiguous()
        # Of each layer; what the first one reads is in the table.
        self.recurrent = [self._packed(w_hh, recurrent=True) for _, w_hh, _, _ in by_layer]
        self.recurrent_biases = [b_hh.contiguous() for *_, b_hh in by_layer]
        self.below = [w_ih, *(self._packed(w_ih) for w_ih, *_ in by_layer[1:])]
        self.below_biases = [b_ih.contiguous() for _, _, b_ih, _ in by_layer]

    @staticmethod
    def available_for(weights: Weights) -> bool:
        """Whether these weights are where compiled code can reach them."""
        table = weights["embedding.weight"]
        return table.device.type == "cpu" and native.library(table.dtype) is not None

    def _packed(self, w: Tensor, *, recurrent: bool = False) -> Tensor:
        """A matrix in the order in which the compiled code reads it."""
        outputs, inputs = w.shape
        if recurrent:
            size, sizes, pack = self.library.gru_packed_size, (inputs,), self.library.gru_pack
        else:
            size, sizes, pack = self.library.gru_rows_size, (outputs, inputs), self.library.gru_pack_rows
        packed = w.new_empty(size(*map(ctypes.c_long, sizes)))
        native.call(pack, sizes, w.contiguous(), packed)
        return packed


class CompiledWriter:
    """Some streams that a network writes, each at a state of its own.

    hidden_LBH: their states; tokens_B: the token that each reads next. temperature and banned: as in `draws`;
    banned is a token that is never drawn.
    """

    def __init__(
        self,
        network: PackedNetwork,
        hidden_LBH: Tensor,
        tokens_B: Tensor,
        temperature: float,
        banned: int | None = None,
    ) -> None:
        layers, streams, hidden = hidden_LBH.shape
        self._network = network
        self._sizes = streams, layers, hidden, network.vocab_size, -1 if banned is None else banned
        self._heat = hidden_LBH.new_tensor(temperature if temperature >= COLD else 0.0)
        self._states = torch.stack([hidden_LBH, hidden_LBH], 1).contiguous()
        self._inputs_B3H = hidden_LBH.new_empty(streams, 3 * hidden)
        self._logits_BV = hidden_LBH.new_empty(streams, network.vocab_size)
        self._tokens_B = tokens_B.to(torch.int64).clone()

    def __len__(self) -> int:
        return len(self._tokens_B)

    def write(self, chances_KB: Tensor) -> Tensor:
        """The next K tokens of each stream, (K, B), see `draws.drawn`. chances_KB: float64, in [0, 1)."""
        drawn_KB = torch.empty(chances_KB.shape, dtype=torch.int64)
        net = self._network
        native.call(
            net.library.gru_write,
            (len(chances_KB), *self._sizes),
            net.table_V3H, net.recurrent, net.recurrent_biases, net.below, net.below_biases, net.head,
            net.head_bias, self._heat, self._states, self._inputs_B3H, self._logits_BV,
            chances_KB.contiguous(), self._tokens_B, drawn_KB,
        )  # fmt: skip
        return drawn_KB
