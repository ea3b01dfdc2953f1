"""C sources compiled once for this machine's processor, and loaded by ctypes.

Built by the C compiler that is there (`CC`, cc, gcc, clang, or the one of the ziglang package) into the
user's cache folder. While C code runs Python's lock is free.
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
from pathlib import Path

_FLAGS = ("-O3", "-march=native", "-std=gnu11", "-fPIC", "-shared")
_BUILD_SECONDS = 300  # zig builds its own C library the first time
_log = logging.getLogger(__name__)


class Source:
    """A C file as it was when its module was imported, which keeps both of one version when metalm is updated
    under a running process."""

    def __init__(self, path: Path) -> None:
        self.name, self.text = path.stem, path.read_text(encoding="utf-8")

    def library(self, *options: str, suffix: str = "") -> ctypes.CDLL | None:
        """It, compiled with these options: built when it is not there yet; None where it cannot be."""
        compiler = _compiler()
        if compiler is None:
            return None
        command = [*compiler, *_FLAGS, *options]
        try:
            path = _cache_folder() / f"{self.name}{suffix}-{self._fingerprint(command)}.so"
            if not path.exists():
                self._build(command, path)
            return ctypes.CDLL(str(path))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # RuntimeError: no home folder
            _log.warning("%s.c could not be built, Python does its work: %s", self.name, error)
            return None

    def _fingerprint(self, command: list[str]) -> str:
        """Of all that the binary depends on; -march=native makes the processor part of it."""
        parts = [self.text, " ".join(command), platform.machine(), _processor()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _build(self, command: list[str], path: Path) -> None:
        """Compile into `path`, all or nothing: two processes may do so at the same time."""
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            source, built = Path(folder) / f"{self.name}.c", Path(folder) / path.name
            source.write_text(self.text, encoding="utf-8")
            subprocess.run(  # noqa: S603 (no shell; the compiler is the user's own)
                [*command, "-o", str(built), str(source), "-lm"],
                check=True, capture_output=True, timeout=_BUILD_SECONDS,
                env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder},
            )  # fmt: skip
            os.replace(built, path)


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


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
