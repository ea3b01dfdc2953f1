"""The recurrence step by step, where there is no compiled code for it: on a GPU, and without a C compiler.

Every function is what its namesake in `recurrence` says; the equations of one step are in `gates`. Every
argument is a tensor, None or a number, and what is found is new or stands in the memory of an argument: so
each can be recorded and replayed (`replay`).

Shapes: see `recurrence`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metalm.model.gates import Gates


def forward(
    rows_TN3H: Tensor,
    index_TSR: Tensor | None,
    w: Tensor,
    bias: Tensor,
    first_TRH: Tensor,
    steps: int,
    keep: bool,
) -> tuple[Tensor, Tensor | None]:
    """(hs_TSRH, gates_TSR4H), the gates where they are kept."""
    tasks, texts, hidden = first_TRH.shape
    hs = first_TRH.new_empty(tasks, steps + 1, texts, hidden)
    hs[:, 0] = first_TRH
    gates = first_TRH.new_empty(tasks, steps, texts, 4 * hidden) if keep else None
    x = dense(rows_TN3H, index_TSR, steps, texts)
    step = Gates.of(hs)
    for s in range(steps):
        a = step.product(hs[:, s], w)
        step.forward(x[:, s], a, bias, hs[:, s], hs[:, s + 1], None if gates is None else gates[:, s])
    return hs, gates


def backward(w: Tensor, hs: Tensor, gates: Tensor, above_TSRH: Tensor) -> tuple[Tensor]:
    """(d_TSR4H,), in the memory of the gates."""
    tasks, steps, texts, hidden = above_TSRH.shape
    dh = above_TSRH.new_zeros(tasks, texts, hidden)
    step = Gates.of(dh)
    for s in reversed(range(steps)):
        step.backward(dh, above_TSRH[:, s], hs[:, s], gates[:, s])
        step.add_product(dh, gates[:, s, :, : 3 * hidden], w)
    return (gates,)


def tangent(
    rows_dot_TN3H: Tensor,
    index_TSR: Tensor | None,
    w: Tensor,
    w_dot: Tensor,
    bias_dot: Tensor,
    hs: Tensor,
    gates: Tensor,
) -> tuple[Tensor, Tensor]:
    """(hs_dot, gates_dot)."""
    _, steps, texts, _ = gates.shape
    hs_dot, gates_dot = torch.empty_like(hs), torch.empty_like(gates)
    hs_dot[:, 0] = 0
    x_dot = dense(rows_dot_TN3H, index_TSR, steps, texts)
    step = Gates.of(hs)
    for s in range(steps):
        a_dot = step.product(hs_dot[:, s], w)
        step.add_product(a_dot, hs[:, s], w_dot.mT)
        states, states_dot = (hs[:, s], hs_dot[:, s]), hs_dot[:, s + 1]
        step.tangent(x_dot[:, s], a_dot, bias_dot, states, gates[:, s], states_dot, gates_dot[:, s])
    return hs_dot, gates_dot


def backward_tangent(
    w: Tensor,
    w_dot: Tensor,
    hs: Tensor,
    hs_dot: Tensor,
    gates: Tensor,
    gates_dot: Tensor,
    above_TSRH: Tensor,
    above_dot_TSRH: Tensor,
) -> tuple[Tensor, Tensor]:
    """(d, d_dot), in the memory of the gates and of their tangent."""
    tasks, steps, texts, hidden = above_TSRH.shape
    dh = above_TSRH.new_zeros(tasks, texts, hidden)
    dh_dot = torch.zeros_like(dh)
    step = Gates.of(dh)
    for s in reversed(range(steps)):
        above, states = (above_TSRH[:, s], above_dot_TSRH[:, s]), (hs[:, s], hs_dot[:, s])
        step.backward_tangent((dh, dh_dot), above, states, (gates[:, s], gates_dot[:, s]))
        by_a, by_a_dot = gates[:, s, :, : 3 * hidden], gates_dot[:, s, :, : 3 * hidden]
        step.add_product(dh_dot, by_a_dot, w)
        step.add_product(dh_dot, by_a, w_dot)
        step.add_product(dh, by_a, w)
    return gates, gates_dot


def row_derivatives(d_TSR4H: Tensor, index_TSR: Tensor, num_rows: int) -> Tensor:
    """(T, N, 3H)."""
    hidden = d_TSR4H.shape[-1] // 4
    by_input = torch.cat([d_TSR4H[..., : 2 * hidden], d_TSR4H[..., 3 * hidden :]], -1).flatten(1, 2)
    index = index_TSR.flatten(1)
    if d_TSR4H.device.type == "cpu":
        rows = by_input.new_zeros(len(by_input), num_rows, 3 * hidden)
        return rows.scatter_add_(1, index[:, :, None].expand_as(by_input), by_input)
    # A product: a GPU would scatter in whatever order comes, and the same run would end in other bits.
    places = torch.arange(num_rows, device=index.device)[:, None]
    return (index[:, None] == places).to(by_input.dtype) @ by_input


def dense(rows_TN3H: Tensor, index_TSR: Tensor | None, steps: int, texts: int) -> Tensor:
    """(T, S, R, 3H): the row that each step and text takes."""
    tasks, _, width = rows_TN3H.shape
    if index_TSR is None:
        return rows_TN3H.view(tasks, steps, texts, width)
    index = index_TSR.flatten(1)[:, :, None].expand(-1, -1, width)
    return rows_TN3H.gather(1, index).view(tasks, steps, texts, width)
