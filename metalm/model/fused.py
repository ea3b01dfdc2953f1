"""`Gates` as Triton kernels, one a step where torch would start ten to thirty. Needs Triton.

And the product of a few texts' states with weights of each task, which is bound by reading the weights: on an
H100 cuBLAS, made for larger ones, takes 1.6 to 1.7 times as long. It multiplies on the tensor cores in three
parts of 10 bits (tf32x3), which comes as near as float32 does: 2e-7 of the result's norm.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra import libdevice

from metalm.model.gates import Gates
from metalm.model.task_weights import is_shared

_UNITS = 256  # of a program, which has one text of one task
_TEXTS, _INNER, _OUTER = (
    16,
    64,
    64,
)  # of a program of the product: rows, and the weights that it reads at once
_TENSOR_CORES = 8, 0  # the first devices (compute capability) that multiply tf32


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

    @staticmethod
    def product(h_TRH: Tensor, w_TOH: Tensor) -> Tensor:
        if not _is_few(h_TRH, w_TOH):
            return Gates.product(h_TRH, w_TOH)
        found = h_TRH.new_empty(*h_TRH.shape[:2], w_TOH.shape[1])
        _multiply(found, h_TRH, w_TOH.mT, add=False)
        return found

    @staticmethod
    def add_product(total_TRO: Tensor, x_TRI: Tensor, w_TIO: Tensor) -> None:
        if _is_few(x_TRI, w_TIO):
            _multiply(total_TRO, x_TRI, w_TIO, add=True)
        else:
            Gates.add_product(total_TRO, x_TRI, w_TIO)


def _is_few(x_TRI: Tensor, w: Tensor) -> bool:
    """Whether `_multiply` is for them: with more texts, and with shared weights, cuBLAS is as fast."""
    is_able = torch.cuda.get_device_capability(x_TRI.device) >= _TENSOR_CORES
    return x_TRI.dtype == torch.float32 and 0 < x_TRI.shape[1] <= _TEXTS and not is_shared(w) and is_able


def _multiply(total_TRO: Tensor, x_TRI: Tensor, w_TIO: Tensor, *, add: bool) -> None:
    """total = x W, or total += x W."""
    tasks, texts, inner = x_TRI.shape
    outer = w_TIO.shape[2]
    strides = *x_TRI.stride()[:2], *w_TIO.stride(), *total_TRO.stride()[:2]
    with torch.cuda.device_of(x_TRI):
        _product[tasks, triton.cdiv(outer, _OUTER)](
            x_TRI, w_TIO, total_TRO, *strides, texts, outer, INNER=inner, ADD=add,
            TEXTS=_TEXTS, IN=_INNER, OUT=_OUTER, num_warps=4, num_stages=4,
        )  # fmt: skip


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
def _product(
    x, w, out, x_T, x_R, w_T, w_I, w_O, out_T, out_R, texts, outer,
    INNER: tl.constexpr, ADD: tl.constexpr, TEXTS: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr,
):  # fmt: skip
    task = tl.program_id(0).to(tl.int64)
    r, i = tl.arange(0, TEXTS), tl.arange(0, IN)
    o = tl.program_id(1) * OUT + tl.arange(0, OUT)
    x += task * x_T + r[:, None] * x_R + i[None, :]
    w += task * w_T + i[:, None] * w_I + o[None, :] * w_O
    total = tl.zeros((TEXTS, OUT), dtype=tl.float32)
    for begin in range(0, INNER, IN):
        some = i < INNER - begin
        rows = tl.load(x, (r[:, None] < texts) & some[None, :], 0.0)
        columns = tl.load(w, some[:, None] & (o[None, :] < outer), 0.0)
        total = tl.dot(rows, columns, total, input_precision="tf32x3")
        x += IN
        w += IN * w_I
    out += task * out_T + r[:, None] * out_R + o[None, :]
    here = (r[:, None] < texts) & (o[None, :] < outer)
    if ADD:
        total += tl.load(out, here, 0.0)
    tl.store(out, total, here)


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
    n = libdevice.tanh(tl.load(x + 2 * hidden, here) + r * a_n)
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
