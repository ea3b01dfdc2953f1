"""The compiled recurrence: `gru_scan.c`, built once for this machine's processor and loaded by ctypes.

Built by the C compiler that is there (`CC`, cc, gcc, clang, or the one of the ziglang package) into the
user's cache folder. Where there is none, `library` is None and `metalm.model.recurrence` does the same in
torch. While C code runs Python's lock is free, so tasks on several threads run side by side.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Thread

import torch
from torch import Tensor

_FILE = Path(__file__).with_name("gru_scan.c")
# Read with this module: both stay of one version when metalm is updated under a running process.
SOURCE = _FILE.read_text(encoding="utf-8")
_FLAGS = ("-O3", "-march=native", "-std=gnu11", "-fPIC", "-shared")
_REALS = {torch.float32: "float", torch.float64: "double"}
_BUILD_SECONDS = 300  # zig builds its own C library the first time
_NOBODY_WAITS = 1 << 62  # as if all had come, to this meeting and to any after it
_log = logging.getLogger(__name__)


@cache
def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """The recurrence for tensors of that type, built when it is not there yet; None where it cannot be."""
    compiler = _compiler()
    if dtype not in _REALS or compiler is None:
        return None
    command = [*compiler, *_FLAGS, f"-DREAL={_REALS[dtype]}"]
    try:
        path = _cache_folder() / f"gru_scan-{_REALS[dtype]}-{_fingerprint(command)}.so"
        if not path.exists():
            _build(command, path)
        return _declared(ctypes.CDLL(str(path)))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # RuntimeError: no home folder
        _log.warning("the recurrence runs in torch, since %s could not be built: %s", _FILE.name, error)
        return None


def _compiler() -> list[str] | None:
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "metalm"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fingerprint(command: list[str]) -> str:
    """Of all that the binary depends on; -march=native makes the processor part of it."""
    parts = [SOURCE, " ".join(command), platform.machine(), _processor()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _build(command: list[str], path: Path) -> None:
    """Compile into `path`, all or nothing: two processes may do so at the same time."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source, built = Path(folder) / _FILE.name, Path(folder) / path.name
        source.write_text(SOURCE, encoding="utf-8")
        subprocess.run(  # noqa: S603 (no shell; the compiler is the user's own)
            [*command, "-o", str(built), str(source)],
            check=True, capture_output=True, timeout=_BUILD_SECONDS,
            env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder},
        )  # fmt: skip
        os.replace(built, path)


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
