"""metalm from Python, for notebooks and scripts: `metalm.runs()`, `metalm.load("a run")`; see docs/python.md.

Importing it loads nothing heavy. Every call works beside a running dashboard.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metalm.notebook.runs import Runs
    from metalm.notebook.trained import TrainedRun

__all__ = ["load", "runs"]


def runs(home: Path | str | None = None) -> Runs:
    """The runs of a home as tables. home: None is METALM_HOME, else `runs/` as for the command line."""
    from metalm.notebook.runs import Runs

    return Runs.of(home)


def load(run: str, home: Path | str | None = None, *, device: str = "cpu") -> TrainedRun:
    """A trained run, ready to adapt to texts and to score them. run: its name, or a prefix of its id.

    Raises NotFoundError, RunStateError when it has no weights yet.
    """
    return runs(home).load(run, device=device)
