"""Runs that leave a home and enter one, as the bundles of `bundle_files`: whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from metalm.config import run_config
from metalm.errors import BundleError, ConfigError, RunStateError
from metalm.home.bundle_files import (
    LEARNED_FILE,
    WEIGHTS_FILE,
    Bundle,
    copy_tensors,
    file_sha256,
    read_bundle,
    rows,
    write_bundle,
)
from metalm.home.live import Live
from metalm.store.metrics import Point
from metalm.store.runs import Run
from metalm.store.values import free_name
from metalm.text.splits import Split

SCRATCH_PREFIX = ".bundle-"


class Bundles(Live):
    """The part of a home that exports and imports runs."""

    def export_run(self, ref: str, directory: Path) -> Path:
        """Writes a finished run as a bundle into `directory`, which must not exist or be empty.

        Raises RunStateError when it is not finished, BundleError when the directory cannot be written.
        """
        run = self.run(ref)
        if run.status != "finished":
            raise RunStateError(f"run {run.name!r} must be finished to be exported, it is {run.status}")
        self.store.flush()
        bundle = Bundle(
            run=run,
            split=self.store.splits.get(run.split_id),
            tokenizer=self.store.tokenizers.get(run.tokenizer),
            summary=self.store.runs.summary(run.id),
            **self._hashes(run),
            metrics=self.store.metrics.table(run.id),
            evaluations=self.store.evaluations.table(run.id),
        )
        directory = Path(directory)
        try:
            with _appearing(directory) as folder:
                write_bundle(bundle, self.run_dir(run.id), folder)
        except OSError as error:
            raise BundleError(f"{directory} must be a new or empty directory: {error.strerror}") from error
        return directory

    def import_run(self, directory: Path) -> Run:
        """Adds the run of a bundle, under its own id; a name that is taken gets "-2", "-3" ...

        Its split comes along; texts do not. A run that is here already with the same weights is given back as
        it is. Raises BundleError when the directory is no bundle, or the home has another run of this id.
        """
        bundle = read_bundle(Path(directory))
        self._check_usable(bundle, Path(directory))
        known = dict(self.store.runs.names())
        if bundle.run.id in known:
            return self._known(bundle)
        run = replace(bundle.run, name=free_name(bundle.run.name, set(known.values())))
        with _appearing(self.run_dir(run.id)) as folder:
            copy_tensors(Path(directory), folder)
        try:
            self.store.bundles.add(
                run,
                self._renamed(bundle.split),
                tokenizer=bundle.tokenizer,
                summary=bundle.summary,
                points=(Point(*row) for row in rows(bundle.metrics)),
                scores=rows(bundle.evaluations),
            )
        except BaseException:
            shutil.rmtree(self.run_dir(run.id))
            raise
        self.describe_run(run.id)
        return self.store.runs.get(run.id)

    def _known(self, bundle: Bundle) -> Run:
        here = self.store.runs.get(bundle.run.id)
        theirs = {"weights_sha256": bundle.weights_sha256, "learned_sha256": bundle.learned_sha256}
        if self._hashes(here) != theirs:
            raise BundleError(
                f"run {bundle.run.name!r} must be new or the same as here, {here.name!r} differs"
            )
        return here

    def _hashes(self, run: Run) -> dict[str, str | None]:
        """Of the run's files here, as a `Bundle` has them; None where there is no such file."""
        paths = {"weights_sha256": self.weights_path(run.id), "learned_sha256": self.learned_path(run.id)}
        return {name: file_sha256(path) if path.exists() else None for name, path in paths.items()}

    def _renamed(self, split: Split) -> Split:
        """The split under a name that is free here; its hash stays what it is."""
        names = self.store.splits.names()
        names.pop(split.id, None)
        return replace(split, name=free_name(split.name, set(names.values())))

    def _check_usable(self, bundle: Bundle, directory: Path) -> None:
        """Raises BundleError when its tensors do not fit the config, or the adaptation is none."""
        from metalm.learn.rule_files import load_learned
        from metalm.learn.tuning import Adaptation
        from metalm.model.gru import new_model
        from metalm.model.weight_files import fitting, load_weights

        run = bundle.run
        try:
            config, source = run_config(run.config), f"run {run.name!r}"
            model = new_model(config.model, bundle.tokenizer.vocab_size, seed=0)
            fitting(load_weights(directory / WEIGHTS_FILE), model, source)
            load_learned(directory / LEARNED_FILE, config, model, source)
            if run.adaptation is not None:
                Adaptation.from_json(run.adaptation)
        except ConfigError as error:
            raise BundleError(str(error)) from error
        except (KeyError, TypeError) as error:
            raise BundleError(f"the adaptation of run {run.name!r} must be as metalm writes it") from error


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """A folder to fill; once that went well it is `directory`, which must not hold anything before."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    filled = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=directory.parent))
    try:
        yield filled
        filled.chmod(0o755)
        # Takes the place of an empty directory too, and refuses any other.
        os.replace(filled, directory)
    finally:
        shutil.rmtree(filled, ignore_errors=True)
