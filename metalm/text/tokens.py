"""Token files: the training part of a task as memory-mapped ids, made once for each content and tokenizer.

A file is an ordinary .npy of the smallest unsigned type that holds the vocabulary. It may be deleted at any
time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer


def open_tokens(
    text: TaskText, tokenizer: Tokenizer, folder: Path, *, on_wait: Callable[[], None] = lambda: None
) -> np.memmap:
    """Read-only ids (N,) of the bytes [0, train_end) of a task: uint8, uint16 or uint32.

    Reused when `folder` holds them, else written there, in one piece or not at all. Text and tokens are
    streamed; between two pieces `on_wait` is called, and may raise whatever is to end it.
    """
    path = token_path(text, tokenizer, folder)
    ids = _opened(path)
    if ids is None:
        _write(path, text, tokenizer, on_wait)
        ids = np.load(path, mmap_mode="r")
    return ids


def token_path(text: TaskText, tokenizer: Tokenizer, folder: Path) -> Path:
    """Where the ids of a task are kept; its id stands for content and range."""
    return folder / f"{text.task.id}-{text.cut.train_end}-{tokenizer.hash[:16]}.npy"


def _opened(path: Path) -> np.memmap | None:
    """The ids in a complete file, None when it is missing or damaged."""
    if not path.exists():
        return None
    try:
        ids = np.load(path, mmap_mode="r")
    except (ValueError, EOFError):  # what numpy raises for a foreign header and for missing bytes
        return None
    return ids if path.stat().st_size == ids.offset + ids.nbytes else None


def _write(path: Path, text: TaskText, tokenizer: Tokenizer, on_wait: Callable[[], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _write_ids(file, text, tokenizer, on_wait)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)  # still there only when something was raised


def _write_ids(file: BinaryIO, text: TaskText, tokenizer: Tokenizer, on_wait: Callable[[], None]) -> None:
    dtype = np.min_scalar_type(tokenizer.vocab_size - 1)
    _write_header(file, dtype, 0)
    begin, count = file.tell(), 0
    for piece in text.pieces(0, text.cut.train_end):
        on_wait()
        ids = tokenizer.encode(piece).ids.astype(dtype)
        file.write(ids.tobytes())
        count += len(ids)
    file.seek(0)
    # numpy pads the header so that a larger count fits: it was made for files that grow.
    _write_header(file, dtype, count)
    assert file.tell() == begin


def _write_header(file: BinaryIO, dtype: np.dtype, count: int) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)
