"""Where the things of a home are, and how a user's word for one becomes its id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from metalm.errors import NotFoundError
from metalm.store.store import Store

RUN_FILES = {"run.json", "weights.safetensors", "adaptation.safetensors", "experts", "checkpoint", "log.txt"}
STUDY_FILES = {"report.json", "report.md", "report.html", "figures"}
RUN_FOLDER = re.compile(r"[0-9a-f]{12}")  # and a study's


class Place:
    """A home's folder and its store. The parts of `Home` stand on it."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path
        self.store = store

    @property
    def corpora_dir(self) -> Path:
        """The stored texts, one file a corpus."""
        return self.path / "corpora"

    @property
    def tokens_dir(self) -> Path:
        """Token files, which can always be made anew."""
        return self.path / "tokens"

    @property
    def studies_dir(self) -> Path:
        """The reports of studies, a folder each."""
        return self.path / "studies"

    def study_dir(self, study_id: str) -> Path:
        """The report of a study."""
        return self.studies_dir / study_id

    def run_dir(self, run_id: str) -> Path:
        """What a run leaves: run.json, weights, checkpoint, log."""
        return self.path / run_id

    def weights_path(self, run_id: str) -> Path:
        """The weights of a run that has ended; the best of its meta-validation where there are any."""
        return self.run_dir(run_id) / "weights.safetensors"

    def learned_path(self, run_id: str) -> Path:
        """What such a run learned about adaptation; many learn nothing and have no such file."""
        return self.run_dir(run_id) / "adaptation.safetensors"

    def checkpoint_dir(self, run_id: str) -> Path:
        """What a run goes on from."""
        return self.run_dir(run_id) / "checkpoint"

    def experts_dir(self, run_id: str) -> Path:
        """The experts that were made around a run's weights: see `metalm.home.expertise`."""
        return self.run_dir(run_id) / "experts"

    def log_path(self, run_id: str) -> Path:
        """What the run's training said."""
        return self.run_dir(run_id) / "log.txt"


def resolve(thing: str, ref: str, known: Iterable[tuple[str, str]]) -> str:
    """The id that `ref` means among (id, name) pairs: an id, a name, or the beginning of just one id.

    Raises NotFoundError when it means none, or several, which it then names.
    """
    known = list(known)
    exact = [id for id, _ in known if id == ref] or [id for id, name in known if name == ref]
    found = exact or [id for id, _ in known if ref and id.startswith(ref)]
    if not found:
        raise NotFoundError(f"no {thing} {ref!r} in the home")
    if len(found) > 1:
        names = ", ".join(f"{name} ({id})" for id, name in known if id in found[:5])
        raise NotFoundError(f"no single {thing} {ref!r} in the home; it may be {names}")
    return found[0]
