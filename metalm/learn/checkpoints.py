"""A checkpoint: one safetensors file with everything that a training run needs to go on, its JSON in the
header.

One file, so that it is replaced in one move: a kill at any moment leaves the old one or the new one, whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from metalm.errors import NotFoundError, RunStateError

FILE_NAME = "checkpoint.safetensors"


def write_checkpoint(folder: Path, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put JSON data and tensors into `folder`, in place of what it held; on disk when this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (FILE_NAME + ".new")
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(on_cpu, temporary, metadata={"state": json.dumps(state)})
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, folder / FILE_NAME)


def read_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `write_checkpoint` put there, tensors on the CPU.

    Raises NotFoundError when there is none, RunStateError when the file is damaged.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise NotFoundError(f"no checkpoint in {folder}")
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            return state, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise RunStateError(f"{path} must be a whole checkpoint: {error}") from error


def under(
    prefix: str, tensors: Mapping[str, Tensor], device: torch.device | None = None
) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning; on `device` (None: where they are)."""
    return {n.removeprefix(prefix): t.to(device) for n, t in tensors.items() if n.startswith(prefix)}
