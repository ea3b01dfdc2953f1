"""The trackers that runs go to and come from, each by its own library, which is installed on wish."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from metalm.errors import ConfigError
from metalm.sharing.histories import check, history_of, take_in
from metalm.store.values import free_name

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run

_LONGEST = 150  # bytes of a folder's name; file systems take 255, and trackers add to it


@dataclass(frozen=True)
class Tracker:
    """library: what is imported. requirement: what pip installs, as in pyproject.toml."""

    name: str
    title: str
    library: str
    requirement: str
    takes_folders: bool = True
    gives: bool = True

    @property
    def is_installed(self) -> bool:
        """Its library is there."""
        return importlib.util.find_spec(self.library) is not None

    def require(self) -> None:
        """Raises ConfigError, which says what to install, where its library is not there."""
        if not self.is_installed:
            raise ConfigError(
                f"{self.title} needs its library; install it with: pip install '{self.requirement}'"
            )


TRACKERS: dict[str, Tracker] = {
    each.name: each
    for each in (
        Tracker("tensorboard", "TensorBoard", "tensorboard", "tensorboard==2.21.0"),
        Tracker("mlflow", "MLflow", "mlflow", "mlflow-skinny==3.17.2", takes_folders=False),
        Tracker("wandb", "Weights & Biases", "wandb", "wandb==0.31.0", gives=False),
    )
}
SOURCES = tuple(name for name, tracker in TRACKERS.items() if tracker.gives)


def export_to(home: Home, refs: Sequence[str], name: str, place: str) -> list[str]:
    """Writes runs to a tracker at `place`: a folder, or for mlflow also an address; says where each went.

    Raises NotFoundError, and ConfigError for a tracker that there is not, whose library is missing, or that
    cannot write there.
    """
    tracker = _tracker(name, tuple(TRACKERS))
    histories = [history_of(home, ref) for ref in refs]
    if tracker.takes_folders and Path(place).is_file():
        raise ConfigError(f"{tracker.title} must be written to a folder, got the file {place}")
    if name == "tensorboard":
        from metalm.sharing import tensorboard

        names = folder_names([each.name for each in histories])
        written = zip(histories, names, strict=True)
        return [str(tensorboard.write(each, Path(place) / name)) for each, name in written]
    if name == "mlflow":
        from metalm.sharing import mlflow

        return [mlflow.write(each, place) for each in histories]
    from metalm.sharing import wandb

    return [str(wandb.write(each, Path(place))) for each in histories]


def folder_names(names: Sequence[str]) -> list[str]:
    """A folder's name for each run: none leads elsewhere, none is too long, no two are alike."""
    taken: dict[str, None] = {}
    for name in names:
        plain = re.sub(r"[/\\\0\n\r]", "-", name).strip(". ")
        short = plain.encode()[:_LONGEST].decode(errors="ignore") or "run"
        taken[free_name(short, taken)] = None
    return list(taken)


def import_from(
    home: Home,
    name: str,
    place: str,
    losses: Mapping[str, str],
    *,
    on_read: Callable[[int], None] = lambda _: None,
) -> list[Run]:
    """Adds every run that a tracker has at `place`; losses as for `take_in`. Raises ConfigError.

    on_read hears how many runs were read, before the first comes in: what it raises lets none come in.
    """
    _tracker(name, SOURCES)
    if "://" not in place and not Path(place).is_dir():
        raise ConfigError(f"runs must be imported from a folder that exists, got {place}")
    if name == "tensorboard":
        from metalm.sharing.tensorboard import read

        histories = []
        for history in read(Path(place)):
            histories.append(history)
            on_read(len(histories))
    else:
        from metalm.sharing import mlflow

        histories = mlflow.read(place, on_read=on_read)
    for history in histories:
        check(history, losses)  # all of them, or none comes in
    return [take_in(home, history, name, losses) for history in histories]


def _tracker(name: str, known: Sequence[str]) -> Tracker:
    if name not in known:
        raise ConfigError(f"tracker must be one of {', '.join(known)}, got {name!r}")
    TRACKERS[name].require()
    return TRACKERS[name]
