"""`Gates` as Triton kernels: one kernel a step, where torch would start ten to thirty. Needs Triton.

A program of a kernel has some units of one text of one task. A step takes microseconds on a GPU, most of them
the products, as long as nothing but products is started beside.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from metalm.model.gates import Gates

_UNITS = 256  # of a program


class FusedGates(Gates):
    """See `Gates`."""

    @staticmethod
    def forward(
        x_TR3H: Tensor, a_TR3H: Tensor, bias_T3H: Tensor, h: Tensor, h_next: Tensor, gates: Tensor | None
    ) -> None:
        parts = x_TR3H, a_TR3H, h, h_next, h if gates is None else gates
        _start(_forward, h, parts, bias_T3H, KEEP=gates is not None)

    @staticmethod
    def backward(dh: Tensor, above: Tensor, h: Tensor, gates: Tensor) -> None:
        _start(_backward, h, (dh, above, h, gates))

    @staticmethod
    def tangent(
        x_dot: Tensor,
        a_dot: Tensor,
        bias_dot_T3H: Tensor,
        states: tuple[Tensor, Tensor],
        gates: Tensor,
        h_next_dot: Tensor,
        gates_dot: Tensor,
    ) -> None:
        _start(_tangent, states[0], (x_dot, a_dot, *states, gates, h_next_dot, gates_dot), bias_dot_T3H)

    @staticmethod
    def backward_tangent(
        dhs: tuple[Tensor, Tensor],
        above: tuple[Tensor, Tensor],
        states: tuple[Tensor, Tensor],
        gates: tuple[Tensor, Tensor],
    ) -> None:
        _start(_backward_tangent, states[0], (*dhs, *above, *states, *gates))


def _start(
    kernel: triton.JITFunction, like: Tensor, parts: tuple[Tensor, ...], *biases: Tensor, **fixed
) -> None:
    """The kernel on views (T, R, ...), each with its strides, and biases (T, ...), each with its own."""
    tasks, texts, hidden = like.shape
    if like.numel() == 0:
        return
    views = [x for part in parts for x in (part, part.stride(0), part.stride(1))]
    views += [x for bias in biases for x in (bias, bias.stride(0))]
    with torch.cuda.device_of(like):
        kernel[tasks * texts, triton.cdiv(hidden, _UNITS)](*views, texts, hidden, UNITS=_UNITS, **fixed)


@triton.jit
def _tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def _forward(
    x, x_T, x_R, a, a_T, a_R, h, h_T, h_R, out, out_T, out_R, gates, gates_T, gates_R, bias, bias_T,
    texts, hidden, KEEP: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
    task, text = tl.program_id(0).to(tl.int64) // texts, tl.program_id(0).to(tl.int64) % texts
    u = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    here = u < hidden
    x += task * x_T + text * x_R + u
    a += task * a_T + text * a_R + u
    bias += task * bias_T + u
    r = tl.sigmoid(tl.load(x, here) + tl.load(a, here) + tl.load(bias, here))
    z = tl.sigmoid(tl.load(x + hidden, here) + tl.load(a + hidden, here) + tl.load(bias + hidden, here))
    a_n = tl.load(a + 2 * hidden, here) + tl.load(bias + 2 * hidden, here)
    n = _tanh(tl.load(x + 2 * hidden, here) + r * a_n)
    before = tl.load(h + task * h_T + text * h_R + u, here)
    tl.store(out + task * out_T + text * out_R + u, n + z * (before - n), here)
    if KEEP:
        gates += task * gates_T + text * gates_R + u
        tl.store(gates, r, here)
        tl.store(gates + hidden, z, here)
        tl.store(gates + 2 * hidden, n, here)
        tl.store(gates + 3 * hidden, a_n, here)


@triton.jit
def _backward(
    dh, dh_T, dh_R, above, above_T, above_R, h, h_T, h_R, gates, gates_T, gates_R,
    texts, hidden, UNITS: tl.constexpr,
):  # fmt: skip
    task, text = tl.program_id(0).to(tl.int64) // texts, tl.program_id(0).to(tl.int64) % texts
    u = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    here = u < hidden
    dh += task * dh_T + text * dh_R + u
    gates += task * gates_T + text * gates_R + u
    r, z = tl.load(gates, here), tl.load(gates + hidden, here)
    n, a_n = tl.load(gates + 2 * hidden, here), tl.load(gates + 3 * hidden, here)
    d = tl.load(dh, here) + tl.load(above + task * above_T + text * above_R + u, here)
    before = tl.load(h + task * h_T + text * h_R + u, here)
    dn = d * (1 - z) * (1 - n * n)
    tl.store(gates, dn * a_n * r * (1 - r), here)
    tl.store(gates + hidden, d * (before - n) * z * (1 - z), here)
    tl.store(gates + 2 * hidden, dn * r, here)
    tl.store(gates + 3 * hidden, dn, here)
    tl.store(dh, d * z, here)


@triton.jit
def _tangent(
    x_dot, x_T, x_R, a_dot, a_T, a_R, h, h_T, h_R, h_dot, hd_T, hd_R, gates, gates_T, gates_R,
    out, out_T, out_R, gates_dot, gd_T, gd_R, bias_dot, bias_T, texts, hidden, UNITS: tl.constexpr,
):  # fmt: skip
    task, text = tl.program_id(0).to(tl.int64) // texts, tl.program_id(0).to(tl.int64) % texts
    u = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    here = u < hidden
    x_dot += task * x_T + text * x_R + u
    a_dot += task * a_T + text * a_R + u
    bias_dot += task * bias_T + u
    gates += task * gates_T + text * gates_R + u
    gates_dot += task * gd_T + text * gd_R + u
    r, z = tl.load(gates, here), tl.load(gates + hidden, here)
    n, a_n = tl.load(gates + 2 * hidden, here), tl.load(gates + 3 * hidden, here)
    by_r = tl.load(x_dot, here) + tl.load(a_dot, here) + tl.load(bias_dot, here)
    by_z = tl.load(x_dot + hidden, here) + tl.load(a_dot + hidden, here) + tl.load(bias_dot + hidden, here)
    a_n_dot = tl.load(a_dot + 2 * hidden, here) + tl.load(bias_dot + 2 * hidden, here)
    r_dot = r * (1 - r) * by_r
    z_dot = z * (1 - z) * by_z
    n_dot = (1 - n * n) * (tl.load(x_dot + 2 * hidden, here) + r_dot * a_n + r * a_n_dot)
    tl.store(gates_dot, r_dot, here)
    tl.store(gates_dot + hidden, z_dot, here)
    tl.store(gates_dot + 2 * hidden, n_dot, here)
    tl.store(gates_dot + 3 * hidden, a_n_dot, here)
    before = tl.load(h + task * h_T + text * h_R + u, here)
    before_dot = tl.load(h_dot + task * hd_T + text * hd_R + u, here)
    tl.store(
        out + task * out_T + text * out_R + u, n_dot + z_dot * (before - n) + z * (before_dot - n_dot), here
    )


@triton.jit
def _backward_tangent(
    dh, dh_T, dh_R, dh_dot, dhd_T, dhd_R, above, above_T, above_R, above_dot, ad_T, ad_R,
    h, h_T, h_R, h_dot, hd_T, hd_R, gates, gates_T, gates_R, gates_dot, gd_T, gd_R,
    texts, hidden, UNITS: tl.constexpr,
):  # fmt: skip
    task, text = tl.program_id(0).to(tl.int64) // texts, tl.program_id(0).to(tl.int64) % texts
    u = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    here = u < hidden
    dh += task * dh_T + text * dh_R + u
    dh_dot += task * dhd_T + text * dhd_R + u
    gates += task * gates_T + text * gates_R + u
    gates_dot += task * gd_T + text * gd_R + u
    r, z = tl.load(gates, here), tl.load(gates + hidden, here)
    n, a_n = tl.load(gates + 2 * hidden, here), tl.load(gates + 3 * hidden, here)
    r_dot, z_dot = tl.load(gates_dot, here), tl.load(gates_dot + hidden, here)
    n_dot, a_n_dot = tl.load(gates_dot + 2 * hidden, here), tl.load(gates_dot + 3 * hidden, here)
    d = tl.load(dh, here) + tl.load(above + task * above_T + text * above_R + u, here)
    d_dot = tl.load(dh_dot, here) + tl.load(above_dot + task * ad_T + text * ad_R + u, here)
    apart = tl.load(h + task * h_T + text * h_R + u, here) - n
    apart_dot = tl.load(h_dot + task * hd_T + text * hd_R + u, here) - n_dot
    dn = d * (1 - z) * (1 - n * n)
    dn_dot = (d_dot * (1 - z) - d * z_dot) * (1 - n * n) - 2 * d * (1 - z) * n * n_dot
    by_z = (d_dot * apart + d * apart_dot) * z * (1 - z) + d * apart * z_dot * (1 - 2 * z)
    by_r = (dn_dot * a_n + dn * a_n_dot) * r * (1 - r) + dn * a_n * r_dot * (1 - 2 * r)
    tl.store(gates, dn * a_n * r * (1 - r), here)
    tl.store(gates + hidden, d * apart * z * (1 - z), here)
    tl.store(gates + 2 * hidden, dn * r, here)
    tl.store(gates + 3 * hidden, dn, here)
    tl.store(gates_dot, by_r, here)
    tl.store(gates_dot + hidden, by_z, here)
    tl.store(gates_dot + 2 * hidden, dn_dot * r + dn * r_dot, here)
    tl.store(gates_dot + 3 * hidden, dn_dot, here)
    tl.store(dh, d * z, here)
    tl.store(dh_dot, d_dot * z + d * z_dot, here)
