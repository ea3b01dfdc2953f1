"""One GRU layer over time, for many tasks at once: forward, backward, and the tangents of both.

The equations, at every step, with a = W_hh h + b_hh and x = W_ih input + b_ih:
    r = sigmoid(x_r + a_r)    z = sigmoid(x_z + a_z)    n = tanh(x_n + r * a_n)    h' = n + z * (h - n)
On the CPU each function is its namesake in `gru_scan.c` (gru_forward, ...; `row_derivatives` is gru_scatter),
if that could be built; elsewhere it is the loop written here. Products over all steps at once are left to
`passes` and `tangents`.

Shapes: T tasks, S steps, R rows (texts side by side), H hidden units. `gates_TSR4H` holds r, z, n and a_n;
`d_TSR4H` the objective's derivatives by x_r + a_r, x_z + a_z, a_n and x_n, in this order: its first 3H
columns are those of a. A tangent is the derivative of a quantity along a direction in the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metalm.model import native


@dataclass(frozen=True)
class Inputs:
    """W_ih input + b_ih: rows (T, N, 3H), and which of them each step and text takes, int64 (T, S, R).

    Without an index the rows are those of the steps in order. Tasks that share their rows have stride 0.
    """

    rows_TN3H: Tensor
    index_TSR: Tensor | None

    def dense(self, steps: int, texts: int) -> Tensor:
        """(T, S, R, 3H)."""
        tasks, _, width = self.rows_TN3H.shape
        if self.index_TSR is None:
            return self.rows_TN3H.view(tasks, steps, texts, width)
        index = self.index_TSR.flatten(1)[:, :, None].expand(-1, -1, width)
        return self.rows_TN3H.gather(1, index).view(tasks, steps, texts, width)


def forward(
    inputs: Inputs, steps: int, w: Tensor, bias: Tensor, first_TRH: Tensor, *, keep: bool, team: int = 1
) -> tuple[Tensor, Tensor | None]:
    """(hs_TSRH, gates_TSR4H): S + 1 states, the first of them `first_TRH`; the gates where they are kept.

    team: in compiled code, threads that share the units of every step.
    """
    tasks, texts, hidden = first_TRH.shape
    hs = first_TRH.new_empty(tasks, steps + 1, texts, hidden)
    hs[:, 0] = first_TRH
    gates = first_TRH.new_empty(tasks, steps, texts, 4 * hidden) if keep else None
    library = _library(hs)
    if library is not None:
        for t in range(tasks):
            arrays = *_rows(inputs, t), w[t], bias[t], hs[t], None if gates is None else gates[t], None
            native.call_by_team(library.gru_forward, (steps, texts, hidden), team, *arrays)
        return hs, gates
    x = inputs.dense(steps, texts)
    for s in range(steps):
        a = torch.baddbmm(bias[:, None], hs[:, s], w.mT)
        r, z = torch.sigmoid(x[:, s, :, : 2 * hidden] + a[..., : 2 * hidden]).chunk(2, -1)
        a_n = a[..., 2 * hidden :]
        n = torch.tanh(x[:, s, :, 2 * hidden :] + r * a_n)
        torch.lerp(n, hs[:, s], z, out=hs[:, s + 1])
        if gates is not None:
            torch.cat([r, z, n, a_n], -1, out=gates[:, s])
    return hs, gates


def backward(w: Tensor, hs: Tensor, gates: Tensor, above_TSRH: Tensor, *, team: int = 1) -> Tensor:
    """d_TSR4H, in the memory of the gates, from the objective's derivatives by hs[:, 1:] from above."""
    tasks, steps, texts, hidden = above_TSRH.shape
    d = gates
    library = _library(d)
    if library is not None:
        for t in range(tasks):
            arrays = w[t], hs[t], gates[t], above_TSRH[t], d[t]
            native.call_by_team(library.gru_backward, (steps, texts, hidden), team, *arrays)
        return d
    dh = above_TSRH.new_zeros(tasks, texts, hidden)
    for s in reversed(range(steps)):
        dh = dh + above_TSRH[:, s]
        r, z, n, a_n = gates[:, s].chunk(4, -1)
        dn = dh * (1 - z) * (1 - n * n)
        dz = dh * (hs[:, s] - n) * z * (1 - z)
        dh = dh * z  # before the gates are written over
        torch.cat([dn * a_n * r * (1 - r), dz, dn * r, dn], -1, out=d[:, s])
        dh = torch.baddbmm(dh, d[:, s, :, : 3 * hidden], w)
    return d


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
    tasks, steps, texts, width = gates.shape
    hidden = width // 4
    hs_dot, gates_dot = torch.empty_like(hs), torch.empty_like(gates)
    hs_dot[:, 0] = 0
    library = _library(hs)
    if library is not None:
        for t in range(tasks):
            weights, found = (w[t], w_dot[t], bias_dot[t]), (hs[t], gates[t], hs_dot[t], gates_dot[t])
            arrays = *_rows(inputs_dot, t), *weights, *found
            native.call_by_team(library.gru_tangent, (steps, texts, hidden), team, *arrays)
        return hs_dot, gates_dot
    x_dot = inputs_dot.dense(steps, texts)
    for s in range(steps):
        r, z, n, a_n = gates[:, s].chunk(4, -1)
        h, h_dot = hs[:, s], hs_dot[:, s]
        a_dot = torch.baddbmm(torch.baddbmm(bias_dot[:, None], h_dot, w.mT), h, w_dot.mT)
        r_dot = r * (1 - r) * (x_dot[:, s, :, :hidden] + a_dot[..., :hidden])
        z_dot = z * (1 - z) * (x_dot[:, s, :, hidden:-hidden] + a_dot[..., hidden:-hidden])
        a_n_dot = a_dot[..., -hidden:]
        n_dot = (1 - n * n) * (x_dot[:, s, :, -hidden:] + r_dot * a_n + r * a_n_dot)
        torch.cat([r_dot, z_dot, n_dot, a_n_dot], -1, out=gates_dot[:, s])
        hs_dot[:, s + 1] = n_dot + z_dot * (h - n) + z * (h_dot - n_dot)
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
    """(d, d_dot) of `backward`, in the memory of the gates and of their tangent.

    Each pair is a quantity and its tangent: (hs, hs_dot) and so on.
    """
    tasks, steps, texts, hidden = above[0].shape
    d, d_dot = gates
    library = _library(d)
    if library is not None:
        for t in range(tasks):
            pairs = [x[t] for pair in (zip(states, gates, strict=True)) for x in pair]
            arrays = w[t], w_dot[t], *pairs, above[0][t], above[1][t], d[t], d_dot[t]
            native.call_by_team(library.gru_backward_tangent, (steps, texts, hidden), team, *arrays)
        return d, d_dot
    dh = above[0].new_zeros(tasks, texts, hidden)
    dh_dot = torch.zeros_like(dh)
    for s in reversed(range(steps)):
        dh, dh_dot = dh + above[0][:, s], dh_dot + above[1][:, s]
        h, h_dot = states[0][:, s], states[1][:, s]
        r, z, n, a_n = gates[0][:, s].chunk(4, -1)
        r_dot, z_dot, n_dot, a_n_dot = gates[1][:, s].chunk(4, -1)
        dn = dh * (1 - z) * (1 - n * n)
        dn_dot = (dh_dot * (1 - z) - dh * z_dot) * (1 - n * n) - 2 * dh * (1 - z) * n * n_dot
        dz = dh * (h - n) * z * (1 - z)
        dz_dot = (dh_dot * (h - n) + dh * (h_dot - n_dot)) * z * (1 - z) + dh * (h - n) * z_dot * (1 - 2 * z)
        dr = dn * a_n * r * (1 - r)
        dr_dot = (dn_dot * a_n + dn * a_n_dot) * r * (1 - r) + dn * a_n * r_dot * (1 - 2 * r)
        parts, parts_dot = [dr, dz, dn * r, dn], [dr_dot, dz_dot, dn_dot * r + dn * r_dot, dn_dot]
        dh, dh_dot = dh * z, dh_dot * z + dh * z_dot  # before the gates are written over
        torch.cat(parts, -1, out=d[:, s])
        torch.cat(parts_dot, -1, out=d_dot[:, s])
        by_a, by_a_dot = d[:, s, :, : 3 * hidden], d_dot[:, s, :, : 3 * hidden]
        dh_dot = torch.baddbmm(torch.baddbmm(dh_dot, by_a_dot, w), by_a, w_dot)
        dh = torch.baddbmm(dh, by_a, w)
    return d, d_dot


def row_derivatives(d_TSR4H: Tensor, index_TSR: Tensor, num_rows: int, *, team: int = 1) -> Tensor:
    """(T, N, 3H): the derivatives by the rows of `Inputs`, each the sum over where it was taken."""
    tasks, steps, texts, width = d_TSR4H.shape
    hidden = width // 4
    rows = d_TSR4H.new_zeros(tasks, num_rows, 3 * hidden)
    library = _library(rows)
    if library is not None:
        for t in range(tasks):
            arrays = index_TSR[t], d_TSR4H[t], rows[t]
            native.call_by_team(library.gru_scatter, (steps * texts, hidden), team, *arrays)
        return rows
    by_input = torch.cat([d_TSR4H[..., : 2 * hidden], d_TSR4H[..., 3 * hidden :]], -1).flatten(1, 2)
    index = index_TSR.flatten(1)[:, :, None].expand_as(by_input)
    return rows.scatter_add_(1, index, by_input)


def _library(like: Tensor) -> object | None:
    return native.library(like.dtype) if like.device.type == "cpu" else None


def _rows(inputs: Inputs, task: int) -> tuple[Tensor, Tensor | None]:
    index = inputs.index_TSR
    return inputs.rows_TN3H[task], None if index is None else index[task]
