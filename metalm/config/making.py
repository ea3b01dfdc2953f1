"""From the words of a command line or a plan to a run's config."""

from __future__ import annotations

from collections.abc import Mapping

from metalm.config.algorithms import ALGORITHMS
from metalm.config.run import PRESETS, RunConfig
from metalm.errors import ConfigError


def make_config(
    algorithm: str, *, preset: str | None = None, settings: Mapping[str, str], parent: RunConfig | None = None
) -> RunConfig:
    """The config that a command line describes. Unless said, model and tokenizer are those of the parent."""
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    taken = {"model": parent.model, "tokenizer": parent.tokenizer} if parent is not None else {}
    if preset is not None:
        taken["model"] = PRESETS[preset]
    return RunConfig(algorithm=ALGORITHMS[algorithm](), **taken).with_settings(settings)
