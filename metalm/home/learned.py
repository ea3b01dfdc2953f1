"""What a run has learned about adaptation, as a table for readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.config import run_config

if TYPE_CHECKING:
    from torch import Tensor

    from metalm.home.home import Home

COLUMNS = ("kind", "weight", "adaptation_step", "mean", "smallest", "largest", "numbers")


def learned_table(home: Home, ref: str) -> pd.DataFrame:
    """One row a (kind, weight, adaptation step) of a run; empty where it learned nothing of the sort.

    kind: rate (of the run's adaptation as it was tuned, not the factor), context, or fisher.
    adaptation_step: from 1; missing where all steps share it. numbers: how many were learned.
    Raises NotFoundError, BundleError.
    """
    from metalm.model.gru import GRULM

    run = home.run(ref)
    if not home.learned_path(run.id).exists():
        return pd.DataFrame(columns=list(COLUMNS))
    config = run_config(run.config)
    tuned = run.adaptation["inner"]["lr"] if run.adaptation else config.adaptation.lr
    model = GRULM(config.model, home.store.tokenizers.get(run.tokenizer).vocab_size)
    rows = [row for name, tensor in home.learned(run, model).items() for row in _rows(name, tensor, tuned)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"adaptation_step": "Int64"})


def _rows(name: str, tensor: Tensor, lr: float) -> Iterator[dict[str, Any]]:
    kind, _, weight = name.partition("/")
    by_step = kind == "rate" and len(tensor) > 1
    for step, part in enumerate(tensor if by_step else [tensor], start=1):
        part = part * lr if kind == "rate" else part
        yield {
            "kind": kind,
            "weight": weight,
            "adaptation_step": step if by_step else None,
            "mean": float(part.mean()),
            "smallest": float(part.min()),
            "largest": float(part.max()),
            "numbers": part.numel(),
        }
