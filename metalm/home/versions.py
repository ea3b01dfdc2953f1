"""Which code and which libraries made a run."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_TRAINING = ("config/*.py", "text/*.py", "model/*.py", "model/*.c", "learn/*.py")
_LIBRARIES = ("torch", "numpy", "safetensors", "tokenizers", "duckdb")


@cache
def code_version() -> str:
    """12 hex digits over all code that a training's numbers depend on; the same code, the same digits."""
    digest = hashlib.sha256()
    for pattern in _TRAINING:
        for path in sorted(_PACKAGE.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Of the code, of Python, and of the libraries that matter."""
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"metalm": code_version(), "python": platform.python_version(), **libraries}
