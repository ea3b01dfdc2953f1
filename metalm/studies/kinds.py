"""Every kind of study by name, in the order in which they are offered. A kind is a module of its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from metalm.errors import NotFoundError

if TYPE_CHECKING:
    from metalm.store.studies import Study as Stored
    from metalm.studies.plan import Study

# The class in the module. Names alone: the command line lists them, and pandas would take it a second.
KINDS = {"data": "Data", "compute": "Compute", "languages": "Languages", "speed": "Speed", "claims": "Claims"}


def kind_of(name: str) -> type[Study]:
    """The kind with this name. Raises NotFoundError, which names all."""
    if name not in KINDS:
        raise NotFoundError(f"no kind of study {name!r}; there are {', '.join(KINDS)}")
    return getattr(import_module(f"metalm.studies.{name}"), KINDS[name])


def study_of(stored: Stored) -> Study:
    """The study that is stored, with its settings."""
    return kind_of(stored.kind).of(stored.settings)
