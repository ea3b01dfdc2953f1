"""The studies of a home: begun, found, deleted. `ref` is a study's id, its name, or the begin of its id."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metalm.home.place import resolve
from metalm.store.values import free_name
from metalm.studies.kinds import kind_of

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.studies import Study as Stored


def begin(home: Home, kind: str, settings: Mapping[str, Any], *, name: str = "") -> Stored:
    """A new study without runs. A name that is taken gets "-2", "-3" ...

    settings: by name, text as it is typed; the rest are defaults. Raises NotFoundError (no such kind, no such
    split), ConfigError.
    """
    study = kind_of(kind).of(settings)
    study.check(home)
    taken = {name for _, name in home.store.studies.names()}
    return home.store.studies.add(kind, free_name(name.strip() or kind, taken), study.to_json())


def find(home: Home, ref: str) -> Stored:
    """One study. Raises NotFoundError."""
    return home.store.studies.get(resolve("study", ref, home.store.studies.names()))


def delete(home: Home, ref: str) -> None:
    """Forgets a study and its report; its runs stay. Nobody may be carrying it out."""
    study = find(home, ref)
    home.store.studies.delete(study.id)
    if home.study_dir(study.id).exists():
        shutil.rmtree(home.study_dir(study.id))
