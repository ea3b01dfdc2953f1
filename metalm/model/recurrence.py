"""One GRU layer over time, for many tasks at once: forward, backward, and the tangents of both.

The equations, at every step, with a = W_hh h + b_hh and x = W_ih input + b_ih:
    r = sigmoid(x_r + a_r)    z = sigmoid(x_z + a_z)    n = tanh(x_n + r * a_n)    h' = n + z * (h - n)
On the CPU each function is its namesake in `gru_scan.c` (gru_forward, ...; `row_derivatives` is gru_scatter),
if that could be built; elsewhere it is its namesake in `loops`, which on a CUDA device is recorded and
replayed. Products over all steps at once are left to `passes` and `tangents`.

Shapes: T tasks, S steps, R rows (texts side by side), H hidden units. `gates_TSR4H` holds r, z, n and a_n;
`d_TSR4H` the objective's derivatives by x_r + a_r, x_z + a_z, a_n and x_n, in this order: its first 3H
columns are those of a. A tangent is the derivative of a quantity along a direction in the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from metalm.model import loops, native
from metalm.model.replay import replay


@dataclass(frozen=True)
class Inputs:
    """W_ih input + b_ih: rows (T, N, 3H), and which of them each step and text takes, int64 (T, S, R).

    Without an index the rows are those of the steps in order. Tasks that share their rows have stride 0.
    """

    rows_TN3H: Tensor
    index_TSR: Tensor | None


def forward(
    inputs: Inputs, steps: int, w: Tensor, bias: Tensor, first_TRH: Tensor, *, keep: bool, team: int = 1
) -> tuple[Tensor, Tensor | None]:
    """(hs_TSRH, gates_TSR4H): S + 1 states, the first of them `first_TRH`; the gates where they are kept.

    team: in compiled code, threads that share the units of every step.
    """
    tasks, texts, hidden = first_TRH.shape
    library = _library(first_TRH)
    if library is None:
        rows, index = inputs.rows_TN3H, inputs.index_TSR
        return _loop(loops.forward, (rows, index, w, bias, first_TRH), steps, keep)
    hs = first_TRH.new_empty(tasks, steps + 1, texts, hidden)
    hs[:, 0] = first_TRH
    gates = first_TRH.new_empty(tasks, steps, texts, 4 * hidden) if keep else None
    for t in range(tasks):
        arrays = *_rows(inputs, t), w[t], bias[t], hs[t], None if gates is None else gates[t], None
        native.call_by_team(library.gru_forward, (steps, texts, hidden), team, *arrays)
    return hs, gates


def backward(w: Tensor, hs: Tensor, gates: Tensor, above_TSRH: Tensor, *, team: int = 1) -> Tensor:
    """d_TSR4H, from the objective's derivatives by hs[:, 1:] from above; the gates may be written over."""
    library = _library(gates)
    if library is None:
        return _loop(loops.backward, (w, hs, gates, above_TSRH))[0]
    tasks, *sizes = above_TSRH.shape
    for t in range(tasks):
        arrays = w[t], hs[t], gates[t], above_TSRH[t], gates[t]
        native.call_by_team(library.gru_backward, sizes, team, *arrays)
    return gates


def tangent(
    inputs_dot: Inputs,
    w: Tensor,
    w_dot: Tensor,
    bias_dot: Tensor,
    hs: Tensor,
    gates: Tensor,
    *,
    team: int = 1,
) -> tuple[Tensor, Tensor]:
    """(hs_dot, gates_dot) of `forward`, from a first state that does not move."""
    library = _library(hs)
    if library is None:
        rows, index = inputs_dot.rows_TN3H, inputs_dot.index_TSR
        return _loop(loops.tangent, (rows, index, w, w_dot, bias_dot, hs, gates))
    tasks, steps, texts, width = gates.shape
    hs_dot, gates_dot = torch.empty_like(hs), torch.empty_like(gates)
    hs_dot[:, 0] = 0
    for t in range(tasks):
        weights, found = (w[t], w_dot[t], bias_dot[t]), (hs[t], gates[t], hs_dot[t], gates_dot[t])
        arrays = *_rows(inputs_dot, t), *weights, *found
        native.call_by_team(library.gru_tangent, (steps, texts, width // 4), team, *arrays)
    return hs_dot, gates_dot


def backward_tangent(
    w: Tensor,
    w_dot: Tensor,
    states: tuple[Tensor, Tensor],
    gates: tuple[Tensor, Tensor],
    above: tuple[Tensor, Tensor],
    *,
    team: int = 1,
) -> tuple[Tensor, Tensor]:
    """(d, d_dot) of `backward`; the gates and their tangent may be written over.

    Each pair is a quantity and its tangent: (hs, hs_dot) and so on.
    """
    library = _library(above[0])
    if library is None:
        return _loop(loops.backward_tangent, (w, w_dot, *states, *gates, *above))
    (tasks, *sizes), (d, d_dot) = above[0].shape, gates
    for t in range(tasks):
        pairs = [x[t] for pair in (zip(states, gates, strict=True)) for x in pair]
        arrays = w[t], w_dot[t], *pairs, above[0][t], above[1][t], d[t], d_dot[t]
        native.call_by_team(library.gru_backward_tangent, sizes, team, *arrays)
    return d, d_dot


def row_derivatives(d_TSR4H: Tensor, index_TSR: Tensor, num_rows: int, *, team: int = 1) -> Tensor:
    """(T, N, 3H): the derivatives by the rows of `Inputs`, each the sum over where it was taken."""
    library = _library(d_TSR4H)
    if library is None:
        return loops.row_derivatives(d_TSR4H, index_TSR, num_rows)
    tasks, steps, texts, width = d_TSR4H.shape
    hidden = width // 4
    rows = d_TSR4H.new_zeros(tasks, num_rows, 3 * hidden)
    for t in range(tasks):
        arrays = index_TSR[t], d_TSR4H[t], rows[t]
        native.call_by_team(library.gru_scatter, (steps * texts, hidden), team, *arrays)
    return rows


def _library(like: Tensor) -> object | None:
    return native.library(like.dtype) if like.device.type == "cpu" else None


def _rows(inputs: Inputs, task: int) -> tuple[Tensor, Tensor | None]:
    index = inputs.index_TSR
    return inputs.rows_TN3H[task], None if index is None else index[task]


def _loop(loop: Callable[..., tuple], tensors: Sequence[Tensor | None], *numbers: int) -> tuple:
    on_cuda = tensors[0].device.type == "cuda" and all(x is None or x.numel() for x in tensors)
    return replay(loop, tensors, *numbers) if on_cuda else loop(*tensors, *numbers)
