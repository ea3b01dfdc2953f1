"""Where a home is when nobody says so."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def default_home() -> Path:
    """METALM_HOME; else `runs/` of a checkout; else of the directory that the process works in."""
    named = os.environ.get("METALM_HOME")
    return Path(named) if named else (ROOT if (ROOT / "app.py").is_file() else Path.cwd()) / "runs"
