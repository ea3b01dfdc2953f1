"""Dropout: what falls away of a task's activations, drawn from a seed of its own.

The network's input, what passes between its layers and its output are dropped, never its state. A task draws
them in this order, time first, so that the network and the fast engine drop the same.
Shapes: T tasks, B texts, S steps, X numbers of a position.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def draws(seed: int, device: torch.device) -> torch.Generator:
    """What the masks of one task in one call are drawn from."""
    return torch.Generator(device).manual_seed(seed)


def scales(like: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Factors of activations like these: 0 where they fall away, else what keeps their mean."""
    drawn = torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    return (drawn >= share).to(like.dtype).div_(1 - share)


def scales_of_tasks(
    like: Tensor, share: float, seeds: Sequence[int], shape: tuple[int, int], widths: Sequence[int]
) -> list[Tensor]:
    """(T, S, B, X) for each of the `widths` that the network drops one after another. shape: (B, S)."""
    texts, steps = shape
    found = [like.new_empty(len(seeds), steps, texts, width) for width in widths]
    for task, seed in enumerate(seeds):
        generator = draws(seed, like.device)
        for part in found:
            part[task] = scales(part[task], share, generator)
    return found
