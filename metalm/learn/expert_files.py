"""The experts of a run on disk: one safetensors file, whose header says whose experts and how they were made.

Tensors are weights/<name> and deviations/<name>, a row a task, as `metalm.learn.posterior.Experts` has them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from metalm.errors import BundleError
from metalm.learn.posterior import Experts, Posterior
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import GRULM
from metalm.model.weight_files import load_weights, notes_of, save_tensors

_WEIGHTS, _DEVIATIONS = "weights/", "deviations/"
_HEADER = "experts"


def save_experts(path: Path, experts: Experts) -> None:
    """Write experts, all or nothing."""
    tensors = {_WEIGHTS + name: tensor for name, tensor in experts.weights.items()}
    tensors |= {_DEVIATIONS + name: tensor for name, tensor in experts.deviations.items()}
    about = {
        "task_ids": experts.task_ids,
        "names": experts.names,
        "tokens": experts.tokens,
        "settings": asdict(experts.settings),
        "seed": experts.seed,
    }
    save_tensors(path, tensors, notes={_HEADER: json.dumps(about)})


def load_experts(path: Path, model: GRULM, source: str) -> Experts:
    """The experts of a file, on the model's device.

    source: whose file it is, for the message. Raises BundleError when the file is damaged, holds no experts
    or does not fit the model.
    """
    tensors = load_weights(path)
    try:
        about = json.loads(notes_of(path)[_HEADER])
        settings = Posterior(**about["settings"])
        task_ids, names, tokens = (tuple(about[key]) for key in ("task_ids", "names", "tokens"))
        seed = int(about["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path.name} of {source} must say whose experts it holds: {error!r}") from error
    own = slow_weights(model)
    kinds = (_WEIGHTS, _DEVIATIONS)
    expected = {kind + name: (len(task_ids), *own[name].shape) for kind in kinds for name in own}
    for name in sorted(expected.keys() | tensors.keys()):
        theirs, ours = tuple(tensors[name].shape) if name in tensors else "none", expected.get(name, "none")
        if theirs != ours:
            raise BundleError(
                f"{path.name} of {source} must hold experts of this model: "
                f"{name} is {theirs} there, not {ours}"
            )
        if not tensors[name].isfinite().all():
            raise BundleError(f"{path.name} of {source} must hold finite numbers, {name} has others")
    device = next(model.parameters()).device
    weights, deviations = ({name: tensors[kind + name].to(device) for name in own} for kind in kinds)
    return Experts(task_ids, names, tokens, weights, deviations, settings, seed)
