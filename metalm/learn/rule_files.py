"""What a run learned about adaptation, on disk beside its weights: see `metalm.learn.rules` for the tensors.

A run that learns nothing of the kind has no such file; what the others must have follows from their config.
"""

from __future__ import annotations

from pathlib import Path

from metalm.config import RunConfig
from metalm.errors import BundleError
from metalm.learn.algorithms import starting_learned
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.weight_files import load_weights, save_tensors


def save_learned(path: Path, learned: Weights, *, step: int) -> None:
    """Write what was learned up to an outer step, all or nothing; where nothing was, no file is left."""
    if learned:
        save_tensors(path, learned, step=step)
    else:
        path.unlink(missing_ok=True)


def load_learned(path: Path, config: RunConfig, model: GRULM, source: str) -> Weights:
    """What a run of this config and model learned, by name, on the model's device; {} when it learns nothing.

    source: whose file it is, for the message. Raises BundleError when the file is missing or damaged, or does
    not hold exactly what such a run learns.
    """
    expected = starting_learned(config, model)
    if not path.exists() and expected:
        raise BundleError(
            f"{source} must have a file {path.name} to adapt: {config.algorithm.name} learned "
            f"{', '.join(sorted({name.split('/')[0] for name in expected}))}, which stood there"
        )
    learned = load_weights(path) if path.exists() else {}
    for name in sorted(expected.keys() | learned.keys()):
        theirs, ours = (tuple(w[name].shape) if name in w else "none" for w in (learned, expected))
        if theirs != ours:
            raise BundleError(
                f"{path.name} of {source} must hold what {config.algorithm.name} learns: "
                f"{name} is {theirs} there, not {ours}"
            )
        if not learned[name].isfinite().all():
            raise BundleError(f"{path.name} of {source} must hold finite numbers, {name} has others")
    device = next(model.parameters()).device
    return {name: learned[name].to(device) for name in expected}
