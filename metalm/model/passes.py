"""The whole network over some windows: forward, and backward with every derivative written out.

What stands here knows no engine, and of threads only that a team may share the recurrence:
`metalm.model.fast` cuts a call into parts, hands each to a `Pass` and puts the results together.

Shapes: T tasks, B texts side by side, S steps, N = S * B positions (step after step), E embedding size,
H hidden units, V vocabulary, U distinct tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from metalm.model import recurrence
from metalm.model.recurrence import Inputs
from metalm.model.task_weights import TaskWeights, is_shared

EMBEDDING, HEAD, HEAD_BIAS = "embedding.weight", "linear.weight", "linear.bias"


@dataclass
class Layer:
    """A GRU layer after its forward pass. below_TNE: what it read, in the first layer perhaps a row a token;
    output_TNH: what is read of it."""

    below_TNE: Tensor
    inputs: Inputs
    hs: Tensor  # (T, S + 1, B, H)
    gates: Tensor | None  # (T, S, B, 4H)
    output_TNH: Tensor

    @property
    def before_TNH(self) -> Tensor:
        return self.hs[:, :-1].flatten(1, 2)


class Pass:
    """The network at `weights` over inputs (T, B, S), forward; `backward` goes on from there.

    keep: a derivative will follow. team: threads that share the recurrence. dropout: factors (T, S, B, X) of
    the input and of each layer's output; none where nothing is dropped. Weights that all tasks share (stride
    0) are multiplied once, and every distinct token is projected once: W_ih is applied to rows of the
    embedding, not to positions, unless something is dropped there.
    """

    def __init__(
        self,
        weights: TaskWeights,
        layers: int,
        inputs_TBS: Tensor,
        hidden_TLBH: Tensor | None,
        *,
        keep: bool,
        team: int = 1,
        dropout: Sequence[Tensor] = (),
    ) -> None:
        self.weights = weights
        self.team = team
        self.shape = inputs_TBS.shape
        self._dropout = [factors.flatten(1, 2) for factors in dropout]
        tasks, texts, steps = self.shape
        if dropout:  # each position's row is its own
            self._tokens, index = inputs_TBS.transpose(1, 2).flatten(1), None
        else:
            self._tokens, index = _distinct(inputs_TBS, weights[EMBEDDING])
        rows = self.read(weights[EMBEDDING])
        self.layers: list[Layer] = []
        for number in range(layers):
            w_ih, w_hh, b_ih, b_hh = (weights[name] for name in names_of(number))
            inputs = Inputs(_product(rows, w_ih, b_ih), index)
            if hidden_TLBH is None:
                first_TBH = w_hh.new_zeros(tasks, texts, w_hh.shape[2])
            else:
                first_TBH = hidden_TLBH[:, number]
            hs, gates = recurrence.forward(inputs, steps, w_hh, b_hh, first_TBH, keep=keep, team=team)
            output = self.dropped(number + 1, hs[:, 1:].flatten(1, 2))
            self.layers.append(Layer(rows, inputs, hs, gates, output))
            rows, index = output, None
        self.head = weights.get(HEAD, weights[EMBEDDING])  # a tied model has one table

    def logits_TNV(self) -> Tensor:
        """What follows each position."""
        return _product(self.layers[-1].output_TNH, self.head, self.weights[HEAD_BIAS])

    def hidden_TLBH(self) -> Tensor:
        """The state after the last position."""
        return torch.stack([layer.hs[:, -1] for layer in self.layers], 1)

    def backward(self, dlogits_TNV: Tensor, names: Collection[str]) -> TaskWeights:
        """The objective's derivatives by the weights `names`, from those by the logits."""
        gradient = head_gradient(dlogits_TNV, self.layers[-1].output_TNH, self.head_name, names)
        if all(name in (self.head_name, HEAD_BIAS) for name in names) and self.head_name != EMBEDDING:
            return gradient
        above = dlogits_TNV @ self.head
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            w_ih, w_hh, _, _ = (self.weights[name] for name in names_of(number))
            steps = self.by_steps(number, above)
            d = recurrence.backward(w_hh, layer.hs, layer.gates, steps, team=self.team)
            by_rows = self.by_input(number, d)
            gradient |= layer_gradient(number, names, d, by_rows, layer)
            if number > 0:
                above = by_rows @ w_ih
            elif EMBEDDING in names:
                add(gradient, EMBEDDING, self.by_table(by_rows @ w_ih))
        return gradient

    @property
    def head_name(self) -> str:
        return HEAD if HEAD in self.weights else EMBEDDING

    def by_input(self, number: int, d_TSB4H: Tensor) -> Tensor:
        """(T, U or N, 3H): the derivatives by the rows of the layer's `inputs`."""
        inputs = self.layers[number].inputs
        if inputs.index_TSR is None:
            return _input_part(d_TSB4H)
        num_rows = inputs.rows_TN3H.shape[1]
        return recurrence.row_derivatives(d_TSB4H, inputs.index_TSR, num_rows, team=self.team)

    def dropped(self, place: int, x_TNX: Tensor) -> Tensor:
        """What is left of the input (place 0) or of a layer's output; a derivative takes the same factors."""
        return x_TNX * self._dropout[place] if self._dropout else x_TNX

    def by_steps(self, number: int, above_TNH: Tensor) -> Tensor:
        """(T, S, B, H): derivatives by a layer's states, from those by what is read of it."""
        tasks, texts, steps = self.shape
        return self.dropped(number + 1, above_TNH).view(tasks, steps, texts, above_TNH.shape[2])

    def read(self, table_TVE: Tensor) -> Tensor:
        """(T, U or N, E): the rows of a table like the embedding that the first layer reads."""
        if self._tokens is None:
            return table_TVE
        if self._tokens.dim() == 2:
            return self.dropped(0, table_TVE.gather(1, _spread(self._tokens, table_TVE)))
        if is_shared(table_TVE):
            return table_TVE[0, self._tokens].expand(len(table_TVE), -1, -1)
        return table_TVE.index_select(1, self._tokens)

    def by_table(self, rows_TUE: Tensor) -> Tensor:
        """Derivatives by what `read` gave as those by the whole table."""
        if self._tokens is None:
            return rows_TUE
        table = rows_TUE.new_zeros(rows_TUE.shape[0], *self.weights[EMBEDDING].shape[1:])
        if self._tokens.dim() == 2:
            return table.scatter_add_(1, _spread(self._tokens, rows_TUE), self.dropped(0, rows_TUE))
        return table.index_copy_(1, self._tokens, rows_TUE)


def names_of(layer: int) -> tuple[str, str, str, str]:
    """The names of a GRU layer's weights: W_ih, W_hh, b_ih, b_hh."""
    return tuple(f"rnn.{kind}_l{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))


def _distinct(inputs_TBS: Tensor, table_TVE: Tensor) -> tuple[Tensor | None, Tensor]:
    """(tokens_U, index_TSB): the distinct tokens, and which of them each position has.

    A text of a kilobyte has some sixty different bytes. A GPU would wait for the count of them, so there it
    is the whole table, and tokens_U is None, unless the vocabulary is larger than the text.
    """
    index_TSB = inputs_TBS.transpose(1, 2).contiguous()
    if index_TSB.device.type != "cpu" and table_TVE.shape[1] <= index_TSB[0].numel():
        return None, index_TSB
    # By counting: torch.unique sorts, which takes ten times as long.
    tokens_U = torch.bincount(index_TSB.flatten(), minlength=table_TVE.shape[1]).nonzero()[:, 0]
    places_V = torch.empty(table_TVE.shape[1], dtype=torch.int64, device=tokens_U.device)
    places_V[tokens_U] = torch.arange(len(tokens_U), device=tokens_U.device)
    return tokens_U, places_V[index_TSB]


def _spread(tokens_TN: Tensor, like: Tensor) -> Tensor:
    """The tokens as an index of whole rows (T, N, E)."""
    return tokens_TN[:, :, None].expand(-1, -1, like.shape[2])


def _product(x_TNI: Tensor, w_TOI: Tensor, bias_TO: Tensor) -> Tensor:
    """x W^T + b for every task; what all tasks share is multiplied once."""
    if not is_shared(w_TOI):
        return torch.baddbmm(bias_TO[:, None], x_TNI, w_TOI.mT)
    if not is_shared(bias_TO):
        return linear(x_TNI[:1] if is_shared(x_TNI) else x_TNI, w_TOI[0]) + bias_TO[:, None]
    if not is_shared(x_TNI):
        return linear(x_TNI, w_TOI[0], bias_TO[0])
    return linear(x_TNI[0], w_TOI[0], bias_TO[0]).expand(len(x_TNI), -1, -1)


def recurrent_part(d_TSR4H: Tensor) -> Tensor:
    """(T, N, 3H): the derivatives by W_hh h + b_hh."""
    return d_TSR4H.flatten(1, 2)[..., : d_TSR4H.shape[-1] // 4 * 3]


def _input_part(d_TSR4H: Tensor) -> Tensor:
    """(T, N, 3H): the derivatives by W_ih x + b_ih."""
    hidden = d_TSR4H.shape[-1] // 4
    flat = d_TSR4H.flatten(1, 2)
    return torch.cat([flat[..., : 2 * hidden], flat[..., 3 * hidden :]], -1)


def layer_gradient(
    number: int, names: Collection[str], d: Tensor, by_rows_TN3H: Tensor, layer: Layer
) -> TaskWeights:
    w_ih, w_hh, b_ih, b_hh = names_of(number)
    gradient = {}
    if w_ih in names:
        gradient[w_ih] = by_rows_TN3H.mT @ layer.below_TNE
    if w_hh in names:
        gradient[w_hh] = recurrent_part(d).mT @ layer.before_TNH
    if b_ih in names:
        gradient[b_ih] = by_rows_TN3H.sum(1)
    if b_hh in names:
        gradient[b_hh] = recurrent_part(d).sum(1)
    return gradient


def head_gradient(dlogits_TNV: Tensor, output_TNH: Tensor, head: str, names: Collection[str]) -> TaskWeights:
    gradient = {}
    if head in names:
        gradient[head] = dlogits_TNV.mT @ output_TNH
    if HEAD_BIAS in names:
        gradient[HEAD_BIAS] = dlogits_TNV.sum(1)
    return gradient


def add(gradient: TaskWeights, name: str, part: Tensor) -> None:
    gradient[name] = gradient[name] + part if name in gradient else part
