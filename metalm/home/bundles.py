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
    read_bundle,
    rows,
    tensor_hashes,
    write_bundle,
)
from metalm.home.live import Live
from metalm.home.thinning import thinned
from metalm.store.metrics import Point
from metalm.store.runs import Run
from metalm.store.values import free_name
from metalm.text.splits import Split

SCRATCH_PREFIX = ".bundle-"


class Bundles(Live):
    """The part of a home that exports and imports runs."""

    def export_run(
        self, ref: str, directory: Path, *, half: bool = False, max_points: int | None = None
    ) -> Path:
        """Writes a finished run as a bundle into `directory`, which must not exist or be empty.

        half: weights in half precision, half as large. max_points: of a curve, see `thinned`; None is all.
        Raises RunStateError when it is not finished, ConfigError when max_points is below 2, BundleError when
        the directory cannot be written.
        """
        run = self.run(ref)
        if run.status != "finished":
            raise RunStateError(f"run {run.name!r} must be finished to be exported, it is {run.status}")
        self.store.flush()
        metrics = self.store.metrics.table(run.id)
        directory = Path(directory)
        try:
            with _appearing(directory) as folder:
                copy_tensors(self.run_dir(run.id), folder, half=half)
                bundle = Bundle(
                    run=run,
                    split=self.store.splits.get(run.split_id),
                    tokenizer=self.store.tokenizers.get(run.tokenizer),
                    summary=self.store.runs.summary(run.id),
                    openings=self.store.splits.openings_by(run.id),
                    **tensor_hashes(folder),
                    metrics=metrics if max_points is None else thinned(metrics, max_points),
                    evaluations=self.store.evaluations.table(run.id),
                )
                write_bundle(bundle, folder)
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
        if bundle.run.id in dict(self.store.runs.names(deleted=True)):
            return self._known(bundle)
        return self._take_in(bundle, Path(directory))

    def _take_in(self, bundle: Bundle, directory: Path) -> Run:
        """Adds the run of a bundle that was found good, and is not here, from the bundle's directory."""
        taken = {name for _, name in self.store.runs.names()}
        run = replace(bundle.run, name=free_name(bundle.run.name, taken))
        with _appearing(self.run_dir(run.id)) as folder:
            copy_tensors(directory, folder)
        try:
            self.store.bundles.add(
                run,
                self._renamed(bundle.split),
                tokenizer=bundle.tokenizer,
                summary=bundle.summary,
                openings=bundle.openings,
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
        if tensor_hashes(self.run_dir(here.id)) != theirs:
            raise BundleError(
                f"run {bundle.run.name!r} must be new or the same as here, {here.name!r} differs"
            )
        if here.id not in dict(self.store.runs.names()):
            self.store.bin.restore([here.id])
        return self.store.runs.get(here.id)

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
