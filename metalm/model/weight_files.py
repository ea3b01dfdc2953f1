"""Weights on disk: safetensors under the article's names, tied tables written out, never a pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from metalm.errors import BundleError, ConfigError
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import GRULM

_TABLE, _OUTPUT = "embedding.weight", "linear.weight"


def save_weights(path: Path, weights: Weights, *, step: int | None = None) -> None:
    """Write `weights` to `path`, all or nothing. A tied table is written twice, as in the article's class.

    step: the outer step that they are of, kept in the file's header.
    """
    output = {} if _OUTPUT in weights else {_OUTPUT: weights[_TABLE].clone()}
    save_tensors(path, {**weights, **output}, step=step)


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    *,
    step: int | None = None,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write any tensors, no two of which share memory, in the same way. notes: kept in the header too."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {**(notes or {}), **({} if step is None else {"step": str(step)})}
    temporary = path.with_name(path.name + ".new")
    save_file(tensors, temporary, metadata=header or None)
    os.replace(temporary, path)


def load_weights(path: Path) -> Weights:
    """The weights of a file, by name, on the CPU; those in half precision come as float32.

    Raises BundleError when it is not a safetensors file.
    """
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise BundleError(f"{path.name} must be a safetensors file: {error}") from error
    return {name: each.float() if each.dtype is torch.float16 else each for name, each in tensors.items()}


def halve(source: Path, path: Path) -> None:
    """Writes the tensors of a file to `path` in half precision, with the same header.

    A tensor whose numbers are too large or too small for it stays as it is. Raises BundleError when `source`
    is not a safetensors file.
    """
    tensors = {name: _halved(tensor) for name, tensor in load_weights(source).items()}
    save_tensors(path, tensors, notes=notes_of(source))


def _halved(tensor: Tensor) -> Tensor:
    """In half precision, unless a number moves by more than the largest one is rounded by."""
    half = tensor.half()
    moved = (half.to(tensor) - tensor).abs().max()
    return half if moved <= torch.finfo(torch.float16).eps / 2 * tensor.abs().max() else tensor


def step_of(path: Path) -> int | None:
    """The outer step that the weights of a file are of, None where it does not say. Raises BundleError."""
    try:
        step = notes_of(path).get("step")
        return None if step is None else int(step)
    except ValueError as error:
        raise BundleError(f"{path.name} must be a safetensors file: {error}") from error


def notes_of(path: Path) -> dict[str, str]:
    """What was kept in the header of a file. Raises BundleError when it is not a safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise BundleError(f"{path.name} must be a safetensors file: {error}") from error


def fitting(weights: Weights, model: GRULM, source: str) -> Weights:
    """`weights` under the names and shapes of `model`'s own; a tied table that was written out stands once.

    source: where the weights come from, for the message. Raises ConfigError naming both shapes.
    """
    own = slow_weights(model)
    weights = dict(weights)
    if _OUTPUT not in own and _OUTPUT in weights:
        if not weights[_OUTPUT].equal(weights[_TABLE]):
            raise ConfigError(f"model.tied must be false, since input and output of {source} are two tables")
        del weights[_OUTPUT]
    elif _OUTPUT in own and _OUTPUT not in weights and _TABLE in weights:
        weights[_OUTPUT] = weights[_TABLE].clone()
    for name in sorted(own.keys() | weights.keys()):
        theirs, ours = (tuple(w[name].shape) if name in w else "none" for w in (weights, own))
        if theirs != ours:
            raise ConfigError(
                f"the weights of {source} must fit this model: {name} is {theirs} there and {ours} here; "
                "choose the same model settings and tokenizer"
            )
    return {name: weights[name].to(own[name]) for name in own}


def model_with(model: GRULM, weights: Weights, source: str) -> GRULM:
    """`model` after `weights` were copied into it. Raises ConfigError when they do not fit."""
    model.load_state_dict(fitting(weights, model, source), strict=not model.config.tied)
    return model
