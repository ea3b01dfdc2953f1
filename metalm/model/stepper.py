"""The network one token at a time, for text that is written rather than read, with little work a token.

What a token adds to the first layer's gates follows from the token alone, so the embedding, the input
projection and the biases are folded into one table when a stepper is made; a step then gathers rows,
multiplies once a layer with the recurrent weights and once with the head, all into memory that it keeps.

Shapes: B streams, T tokens, E embedding size, H hidden units, L layers, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.passes import Pass
from metalm.model.task_weights import shared


@torch.no_grad()
def state_after(weights: Weights, tokens_BT: Tensor, hidden_LBH: Tensor) -> Tensor:
    """The state, hidden_LBH, after reading tokens that are known already, from the one before them.

    tokens_BT: int64, on the weights' device.
    """
    forward = Pass(shared(weights, 1), len(hidden_LBH), tokens_BT[None], hidden_LBH[None], keep=False)
    return forward.hidden_TLBH()[0]


class Stepper:
    """`model` with `weights` in place of its own, prepared; the streams' state is inside.

    The weights are copied where they are folded and shared where not: they must not be changed meanwhile.
    hidden_LBH: the state that it begins in; one stream's is that of however many step on from it. None is one
    stream's state of zeros.
    """

    def __init__(self, model: GRULM, weights: Weights, hidden_LBH: Tensor | None = None) -> None:
        weights = {name: weight.detach() for name, weight in weights.items()}
        self._embedding = weights["embedding.weight"]
        self._head_HV = weights.get("linear.weight", self._embedding).T
        self._head_bias_V = weights["linear.bias"]
        layers = range(model.config.layers)
        by_layer = [[weights[f"rnn.{kind}_l{layer}"] for kind in _LAYER_WEIGHTS] for layer in layers]
        self._cells = [_Cell(*layer) for layer in by_layer]
        self._table_V3H = self._cells[0].projected(self._embedding)
        if hidden_LBH is None:
            hidden_LBH = self._embedding.new_zeros((len(layers), 1, model.config.hidden))
        self._use(hidden_LBH)

    @property
    def device(self) -> torch.device:
        return self._embedding.device

    @property
    def hidden_LBH(self) -> Tensor:
        """A copy of the state."""
        return torch.stack([cell.state_BH for cell in self._cells])

    def step(self, tokens_B: Tensor) -> Tensor:
        """logits_BV of what comes after one more token of each stream; the next step overwrites them."""
        if len(tokens_B) != len(self._logits_BV):
            self._use(self.hidden_LBH.expand(-1, len(tokens_B), -1))
        first, *others = self._cells
        first.look_up(tokens_B.to(self.device))
        output_BH = first.step()
        for cell in others:
            cell.projected(output_BH, out=cell.input_B3H)
            output_BH = cell.step()
        return torch.addmm(self._head_bias_V, output_BH, self._head_HV, out=self._logits_BV)

    def _use(self, hidden_LBH: Tensor) -> None:
        """Go on from this state, with memory for as many streams."""
        self._logits_BV = hidden_LBH.new_empty((hidden_LBH.shape[1], len(self._head_bias_V)))
        tables = [self._table_V3H, *[None] * (len(self._cells) - 1)]
        for cell, state_BH, table in zip(self._cells, hidden_LBH, tables, strict=True):
            cell.use(state_BH, table)


_LAYER_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class _Cell:
    """One layer: its state, and the memory in which the next one is made.

    Gates lie in nn.GRU's order: reset, update, candidate. input_B3H: what the input adds to them, to be
    filled before each step. The candidate's rows are doubled, for tanh x = 2 sigmoid 2x - 1: of a batch,
    torch's tanh takes five times as long as its sigmoid.
    """

    def __init__(self, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> None:
        self._size = size = weight_hh.shape[1]
        scale_3H = weight_hh.new_tensor([1.0, 1.0, 2.0]).repeat_interleave(size)
        # The reset gate multiplies the candidate's second bias, which therefore stays with the state.
        reaches_input = scale_3H == 1
        self._input_bias_3H = scale_3H * (bias_ih + bias_hh * reaches_input)
        self._hidden_bias_3H = scale_3H * (bias_hh * ~reaches_input)
        self._weight_ih_T = (scale_3H[:, None] * weight_ih).T
        self._weight_hh_T = (scale_3H[:, None] * weight_hh).T.contiguous()
        self._minus_one = weight_hh.new_tensor(-1.0)

    def projected(self, input_BE: Tensor, out: Tensor | None = None) -> Tensor:
        """What inputs add to the gates: (B, 3H)."""
        return torch.addmm(self._input_bias_3H, input_BE, self._weight_ih_T, out=out)

    def look_up(self, tokens_B: Tensor) -> None:
        """Take the input of these tokens from the table."""
        torch.index_select(self._table_V3H, 0, tokens_B, out=self.input_B3H)

    def use(self, state_BH: Tensor, table_V3H: Tensor | None) -> None:
        """Go on from a copy of this state. table_V3H: what tokens add to the gates of the first layer."""
        self._table_V3H = table_V3H
        size, batch = self._size, len(state_BH)
        self.state_BH = state_BH.clone(memory_format=torch.contiguous_format)
        self.input_B3H, self._hidden_B3H = state_BH.new_empty((2, batch, 3 * size))
        self._gates_B2H = state_BH.new_empty((batch, 2 * size))
        self._candidate_BH = torch.empty_like(self.state_BH)
        # The views are made once: making one takes as long as using it.
        self._input_gates_B2H, self._input_candidate_BH = self.input_B3H.split((2 * size, size), 1)
        self._hidden_gates_B2H, self._hidden_candidate_BH = self._hidden_B3H.split((2 * size, size), 1)
        self._reset_BH, self._update_BH = self._gates_B2H.split(size, 1)

    def step(self) -> Tensor:
        """The state after the input that `input_B3H` holds, in this cell's memory."""
        candidate_BH = self._candidate_BH
        torch.addmm(self._hidden_bias_3H, self.state_BH, self._weight_hh_T, out=self._hidden_B3H)
        torch.add(self._input_gates_B2H, self._hidden_gates_B2H, out=self._gates_B2H).sigmoid_()
        torch.addcmul(self._input_candidate_BH, self._reset_BH, self._hidden_candidate_BH, out=candidate_BH)
        torch.add(self._minus_one, candidate_BH.sigmoid_(), alpha=2, out=candidate_BH)
        return torch.lerp(candidate_BH, self.state_BH, self._update_BH, out=self.state_BH)
