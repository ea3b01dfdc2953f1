"""Rows of a study: what was asked for on every fold, and nothing else."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import pandas as pd

from metalm.config import InnerLoop
from metalm.studies.evidence import rows_of
from metalm.studies.plan import Asked


def row(split_id, **changed):
    """A score of a compressor that has read the split's texts, as `evaluations` has it."""
    told = {
        "run_id": None,
        "checkpoint_step": None,
        "split_id": split_id,
        "method": "PPMd primed",
        "adaptation": json.dumps({"order": 6, "split": split_id}),
        "support_bytes": 512,
        "draw": 0,
        "nats": 1.0,
    }
    return {**told, **changed}


def test_a_baseline_that_has_read_a_splits_texts_counts_on_every_fold():
    inner = {"inner": asdict(InnerLoop()), "grid": [], "edges": []}
    runs = {key: SimpleNamespace(id=key * 12, split_id=key, adaptation=inner) for key in "ab"}
    older = row("a", adaptation=json.dumps({"order": 5, "split": "a"}))
    kept = pd.DataFrame([older, row("a"), row("b"), row("c")])
    home = SimpleNamespace(evaluations=lambda _ids, role: kept if role == "meta-test" else kept[:0])
    asked = Asked(name="online", keys=("a", "b"), role="meta-test", support=(512,), methods=("PPMd primed",))
    found = rows_of(home, [asked], runs, {"a": "joint", "b": "joint"})
    assert list(zip(found["split_id"], found["series"], strict=True)) == [
        ("a", "PPMd primed"),
        ("b", "PPMd primed"),
    ]
    assert list(found["adaptation"]) == [row("a")["adaptation"], row("b")["adaptation"]]
