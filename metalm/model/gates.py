"""One step of the recurrence, for all tasks and texts at once: see `recurrence`.

`Gates` does it in torch, and but for the products in ten operations and more; where Triton is (it comes with
torch for CUDA) `metalm.model.fused` does each function's in one.

Shapes: T tasks, R texts, H hidden units; views of one step whose last axis lies in one piece. Of a pair the
second is the tangent of the first. Everything but a product is written into memory that is given.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from subprocess import SubprocessError

import torch
from torch import Tensor

from metalm.model.task_weights import is_shared

_log = logging.getLogger(__name__)


class Gates:
    """The step's equations, forward and backward, their tangents, and its products."""

    @staticmethod
    def of(like: Tensor) -> type[Gates]:
        """The fastest for tensors like this one."""
        return _fused() if like.device.type == "cuda" and find_spec("triton") else Gates

    @staticmethod
    def forward(
        x_TR3H: Tensor, a_TR3H: Tensor, bias_T3H: Tensor, h: Tensor, h_next: Tensor, gates: Tensor | None
    ) -> None:
        """h_next and, where they are kept, the gates; a: W_hh h, without its bias."""
        hidden = h.shape[-1]
        a = a_TR3H + bias_T3H[:, None]
        r, z = torch.sigmoid(x_TR3H[..., : 2 * hidden] + a[..., : 2 * hidden]).chunk(2, -1)
        a_n = a[..., 2 * hidden :]
        n = torch.tanh(x_TR3H[..., 2 * hidden :] + r * a_n)
        torch.lerp(n, h, z, out=h_next)
        if gates is not None:
            torch.cat([r, z, n, a_n], -1, out=gates)

    @staticmethod
    def backward(dh: Tensor, above: Tensor, h: Tensor, gates: Tensor) -> None:
        """d in place of the gates, and in place of dh what of dh + above goes straight to the step before."""
        r, z, n, a_n = gates.chunk(4, -1)
        dh += above
        dn = dh * (1 - z) * (1 - n * n)
        dz = dh * (h - n) * z * (1 - z)
        dh *= z  # before the gates are written over
        torch.cat([dn * a_n * r * (1 - r), dz, dn * r, dn], -1, out=gates)

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
        """h_next_dot and gates_dot; a_dot: without its bias."""
        (h, h_dot), hidden = states, states[0].shape[-1]
        r, z, n, a_n = gates.chunk(4, -1)
        a_dot = a_dot + bias_dot_T3H[:, None]
        r_dot = r * (1 - r) * (x_dot[..., :hidden] + a_dot[..., :hidden])
        z_dot = z * (1 - z) * (x_dot[..., hidden:-hidden] + a_dot[..., hidden:-hidden])
        a_n_dot = a_dot[..., -hidden:]
        n_dot = (1 - n * n) * (x_dot[..., -hidden:] + r_dot * a_n + r * a_n_dot)
        torch.cat([r_dot, z_dot, n_dot, a_n_dot], -1, out=gates_dot)
        h_next_dot.copy_(n_dot + z_dot * (h - n) + z * (h_dot - n_dot))

    @staticmethod
    def backward_tangent(
        dhs: tuple[Tensor, Tensor],
        above: tuple[Tensor, Tensor],
        states: tuple[Tensor, Tensor],
        gates: tuple[Tensor, Tensor],
    ) -> None:
        """As `backward`, and its tangent, each in place of its own."""
        (dh, dh_dot), (h, h_dot) = dhs, states
        r, z, n, a_n = gates[0].chunk(4, -1)
        r_dot, z_dot, n_dot, a_n_dot = gates[1].chunk(4, -1)
        dh += above[0]
        dh_dot += above[1]
        dn = dh * (1 - z) * (1 - n * n)
        dn_dot = (dh_dot * (1 - z) - dh * z_dot) * (1 - n * n) - 2 * dh * (1 - z) * n * n_dot
        dz = dh * (h - n) * z * (1 - z)
        dz_dot = (dh_dot * (h - n) + dh * (h_dot - n_dot)) * z * (1 - z) + dh * (h - n) * z_dot * (1 - 2 * z)
        dr = dn * a_n * r * (1 - r)
        dr_dot = (dn_dot * a_n + dn * a_n_dot) * r * (1 - r) + dn * a_n * r_dot * (1 - 2 * r)
        parts, parts_dot = [dr, dz, dn * r, dn], [dr_dot, dz_dot, dn_dot * r + dn * r_dot, dn_dot]
        dh_dot.copy_(dh_dot * z + dh * z_dot)  # before the gates are written over
        dh *= z
        torch.cat(parts, -1, out=gates[0])
        torch.cat(parts_dot, -1, out=gates[1])

    @staticmethod
    def product(h_TRH: Tensor, w_TOH: Tensor) -> Tensor:
        """h W^T; weights that all tasks share are read once, by all texts."""
        if is_shared(w_TOH):
            return (h_TRH.flatten(0, 1) @ w_TOH[0].T).unflatten(0, h_TRH.shape[:2])
        return torch.bmm(h_TRH, w_TOH.mT)

    @staticmethod
    def add_product(total_TRO: Tensor, x_TRI: Tensor, w_TIO: Tensor) -> None:
        """total += x W."""
        if is_shared(w_TIO):
            total_TRO.flatten(0, 1).addmm_(x_TRI.flatten(0, 1), w_TIO[0])
        else:
            total_TRO.baddbmm_(x_TRI, w_TIO)


@cache
def _fused() -> type[Gates]:
    """Triton's, or torch's where Triton does not work: it needs a C compiler and Python's header files."""
    try:
        from metalm.model.fused import FusedGates

        _try_out(FusedGates)
    except (ImportError, OSError, RuntimeError, SubprocessError) as error:
        _log.warning("Triton does not work here, so on this GPU steps take longer: %s", error)
        return Gates
    return FusedGates


def _try_out(gates: type[Gates]) -> None:
    x_TR3H = torch.zeros(2, 1, 48, device="cuda")
    h = torch.zeros(2, 1, 16, device="cuda")
    gates.forward(x_TR3H, gates.product(h, torch.zeros(2, 48, 16, device="cuda")), x_TR3H[:, 0], h, h, None)
