"""What it was measured on, in a line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from contest.rounds import Terms

_CPUINFO = Path("/proc/cpuinfo")


def described(terms: Terms) -> str:
    """Processor, cores, threads, versions, and how often everything was repeated."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {terms.threads} threads; {platform.system()}, "
        f"Python {platform.python_version()}, torch {version('torch')}; medians of {terms.reps}."
    )


def _processor() -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
