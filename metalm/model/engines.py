"""Which engine computes for a model."""

from __future__ import annotations

from metalm.model.engine import Engine
from metalm.model.fast import FastEngine
from metalm.model.gru import GRULM


def engine_for(model: GRULM) -> Engine:
    """The fastest engine for the model, with as many threads as torch may use in the thread that asks.

    Like the model, it belongs to that thread.
    """
    return FastEngine(model)
