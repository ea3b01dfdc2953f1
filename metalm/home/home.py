"""A home directory as one object: texts, learning, evaluation and the store are joined here and nowhere else.

What a home can do stands in its parts, one module each, every part on top of the one before: `texts`,
`splits`, `runs`, `kept`, `training`, `twins`, `loading`, `expertise`, `tunings`, `coding`, `contending`,
`evaluating`, `live`, `bundles`, `samples`; `estimating` stands on `training` alone, `bin` and
`grouping` on `runs`, `family` on `twins`. Here is how a home is opened, swept and closed.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from metalm.errors import HomeError
from metalm.home.bin import KEPT_DAYS, RunBin
from metalm.home.bundles import SCRATCH_PREFIX
from metalm.home.estimating import Estimating
from metalm.home.family import Families
from metalm.home.grouping import Grouping
from metalm.home.owner import Owner, read_owner, remove_owner, this_process, write_owner
from metalm.home.place import RUN_FILES, RUN_FOLDER, STUDY_FILES
from metalm.home.samples import Samples
from metalm.store.store import Store
from metalm.text.corpora import corpus_path
from metalm.text.ingest import remove_leftovers

TEXT_FILE = re.compile(r"[0-9a-f]{16}\.(txt|new)")
STORE_FILE = "metalm.duckdb"


class Home(Samples, Estimating, RunBin, Grouping, Families):
    """An open home. Any thread may call any method; `Home.open` makes one, `close` or a `with` ends it."""

    def __init__(self, path: Path, store: Store, owner: Owner) -> None:
        super().__init__(path, store)
        self._owner = owner
        self._closed = False

    @classmethod
    def open(cls, path: Path | str, *, doing: str = "app", samples: bool = True) -> Self:
        """Opens the home in a directory, made where there is none, and owns it until `close`.

        doing: what other processes are told that this one does with it. samples: at its first start a home
        gets the shipped corpora, splits and runs. Raises HomeError when a living process owns it, which is
        named, or when its files cannot be read or written.
        """
        path = Path(path).absolute()
        refuse_if_owned(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            store = Store(path / STORE_FILE)
        except OSError as error:
            raise HomeError(f"the home {path} cannot be used: {error.strerror or error}") from error
        except HomeError:
            refuse_if_owned(path)  # somebody came in between: say who
            raise
        home = cls(path, store, this_process(doing))
        try:
            write_owner(path, home._owner)
            home._sweep()
            if samples:
                home.add_samples()
        except BaseException as error:
            home.close()
            if isinstance(error, OSError):
                raise HomeError(f"the home {path} cannot be used: {error.strerror or error}") from error
            raise
        atexit.register(home.close)
        return home

    def publish(self, *, address: str, token: str) -> None:
        """Tells other processes where this one's local API listens, and the token that it wants."""
        self._owner = replace(self._owner, address=address, token=token)
        write_owner(self.path, self._owner)

    def close(self) -> None:
        """Writes what is buffered and gives the home free. Twice is once. Work under way must have ended."""
        if self._closed:
            return
        self._closed = True
        # The store first: whoever finds no owner must find no lock either.
        self.store.close()
        remove_owner(self.path)
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _sweep(self) -> None:
        """Mends what a killed process left: runs that nobody trains, files that belong to nothing."""
        for run in self.store.runs.with_status("running"):
            self.store.runs.set_status(run.id, "interrupted", expected=["running"])
            message = f"process {run.owner_pid} ended while it trained run {run.name!r}"
            self.store.events.add("interrupted", run.id, message)
        for job in self.store.jobs.with_status("running"):
            self.store.jobs.end(job.id, "interrupted")
        self.corpora_dir.mkdir(exist_ok=True)
        self.tokens_dir.mkdir(exist_ok=True)
        remove_leftovers(self.corpora_dir)
        self.empty_bin(older_than=KEPT_DAYS)
        self._remove_orphans()

    def _remove_orphans(self) -> None:
        """Removes what is metalm's own and belongs to no row; anything else in the folder is let be."""
        texts = {corpus_path(self.corpora_dir, corpus.id) for corpus in self.corpora()}
        for file in (*self.corpora_dir.glob("*.new"), *self.corpora_dir.glob("*.txt")):
            if file not in texts and TEXT_FILE.fullmatch(file.name):
                file.unlink()
        for part in self.tokens_dir.glob("*.part"):
            part.unlink()
        for scratch in self.path.glob(f"{SCRATCH_PREFIX}*"):
            shutil.rmtree(scratch)
        self.studies_dir.mkdir(exist_ok=True)
        runs = {run_id for run_id, _ in self.store.runs.names(deleted=True)}
        studies = {study_id for study_id, _ in self.store.studies.names()}
        for place, known, files in ((self.path, runs, RUN_FILES), (self.studies_dir, studies, STUDY_FILES)):
            for folder in place.iterdir():
                is_orphan = RUN_FOLDER.fullmatch(folder.name) and folder.name not in known and folder.is_dir()
                if is_orphan and {file.name for file in folder.iterdir()} <= files:
                    shutil.rmtree(folder)


def refuse_if_owned(path: Path) -> None:
    """Raises HomeError, naming process and deed, when a living process owns the home."""
    owner = read_owner(path)
    if owner is not None:
        who = "this process" if owner.pid == os.getpid() else f"process {owner.pid}"
        raise HomeError(f"the home {path} is owned by {who} ({owner.doing}, since {owner.since:%H:%M} UTC)")
