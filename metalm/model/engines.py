"""Which engine computes for a model."""

from __future__ import annotations

from metalm.model.engine import Engine
from metalm.model.gru import GRULM
from metalm.model.reference import ReferenceEngine


def engine_for(model: GRULM) -> Engine:
    """The fastest engine for the model where it lives. Like the model, it belongs to one thread."""
    return ReferenceEngine(model)
