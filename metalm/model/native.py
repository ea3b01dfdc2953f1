"""The compiled recurrence: `gru_scan.c`, loaded by ctypes.

Where it cannot be built `library` is None and `metalm.model.recurrence` does the same in torch. While C code
runs Python's lock is free, so tasks on several threads run side by side.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Thread

import torch
from torch import Tensor

from metalm.model.compiled import Source

SOURCE = Source(Path(__file__).with_name("gru_scan.c"))
_REALS = {torch.float32: "float", torch.float64: "double"}
_NOBODY_WAITS = 1 << 62  # as if all had come, to this meeting and to any after it


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """The recurrence for tensors of that type, built when it is not there yet; None where it cannot be."""
    if dtype not in _REALS:
        return None
    real = _REALS[dtype]
    found = SOURCE.library(f"-DREAL={real}", suffix=f"-{real}")
    return None if found is None else _declared(found)


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    for name in (
        "gru_forward",
        "gru_backward",
        "gru_tangent",
        "gru_backward_tangent",
        "gru_scatter",
        "gru_pack",
        "gru_pack_rows",
        "gru_write",
    ):
        getattr(library, name).restype = ctypes.c_int
    library.gru_packed_size.restype = library.gru_rows_size.restype = ctypes.c_long
    return library


def call(
    function: ctypes._CFuncPtr, sizes: tuple[int, ...], *arrays: Tensor | Sequence[Tensor] | None
) -> None:
    """Call a function of the library with sizes and contiguous CPU tensors, or several (None is NULL).

    Raises MemoryError when it found none.
    """
    if function(*_arguments(sizes, arrays)):
        raise MemoryError(f"no memory for a recurrence of sizes {sizes}")


def call_by_team(
    function: ctypes._CFuncPtr, sizes: tuple[int, ...], team: int, *arrays: Tensor | None
) -> None:
    """`call` a function that a team of threads shares, each as another member.

    Raises MemoryError when one of them found none. However it ends, none works on.
    """
    arrived = torch.zeros(1, dtype=torch.int64)  # the members count there how far they are
    members = [_arguments((*sizes, member, team), (*arrays, arrived)) for member in range(team)]
    failed, started = [0] * team, []

    def make(member: int, _kept: object = (arrays, arrived)) -> None:
        # The arguments are addresses: what is there must stay for as long as the thread does.
        failed[member] = function(*members[member])

    try:
        # Not from a pool: one whose threads are busy would let the others wait for ever.
        for member in range(1, team):
            thread = Thread(target=make, args=(member,), name="team", daemon=True)
            thread.start()
            started.append(thread)
        make(0)
    except BaseException:  # a thread that cannot start, or Ctrl-C
        arrived.fill_(_NOBODY_WAITS)
        raise
    finally:
        for thread in started:
            thread.join()
    if any(failed):
        raise MemoryError(f"no memory for a recurrence of sizes {sizes}")


def _arguments(sizes: tuple[int, ...], arrays: tuple[Tensor | Sequence[Tensor] | None, ...]) -> list[object]:
    return [*map(ctypes.c_long, sizes), *map(_pointer, arrays)]


def _pointer(array: Tensor | Sequence[Tensor] | None) -> object:
    """To the numbers of a tensor, or to pointers to those of several."""
    if array is None:
        return None
    if isinstance(array, Tensor):
        assert array.is_contiguous()
        return ctypes.c_void_p(array.data_ptr())
    return (ctypes.c_void_p * len(array))(*(_pointer(one) for one in array))
