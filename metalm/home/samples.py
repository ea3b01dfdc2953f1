"""What metalm ships, in a home at its first start: corpora, the splits of them, and trained runs."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from metalm.home.bundle_files import RUN_FILE, read_bundle
from metalm.home.bundles import Bundles
from metalm.text.corpora import corpus_path
from metalm.text.samples import SAMPLE_SPLITS, SAMPLES_DIR, sample_corpora
from metalm.text.splits import freeze
from metalm.text.tasks import tasks_of

MODELS_DIR = SAMPLES_DIR / "models"  # a folder each: bundles
SAMPLE_TAG = "sample"  # of a run that was shipped


class Samples(Bundles):
    """The part of a home that fills it at its first start."""

    def add_samples(self, models: Path = MODELS_DIR) -> None:
        """The shipped corpora, splits and runs, at the first start of a home; never again after that.

        models: where a bundle a run is; no such folder is no runs. Raises BundleError when one is damaged.
        """
        if self.store.events.has("samples"):
            return
        num_corpora = self._add_texts()
        bundles = sorted(path.parent for path in models.glob(f"*/{RUN_FILE}"))
        for directory in bundles:
            self._add_model(directory)
        self.store.events.add(
            "samples",
            "",
            f"{num_corpora} sample corpora, {len(SAMPLE_SPLITS)} splits and {len(bundles)} runs were added",
        )

    def _add_texts(self) -> int:
        """Adds corpora and splits; gives the number of corpora."""
        self.corpora_dir.mkdir(exist_ok=True)
        corpora = []
        for source, corpus in sample_corpora():
            path = corpus_path(self.corpora_dir, corpus.id)
            shutil.copyfile(source, path.with_suffix(".new"))
            os.replace(path.with_suffix(".new"), path)
            corpora.append(corpus)
        tasks = {task.name: task for task in tasks_of(corpora)}
        splits = [
            freeze(
                sample.name,
                tasks.values(),
                {tasks[name].id: role for name, role in sample.roles.items()},
                family=sample.family,
                fold=sample.fold,
                folds=sample.folds,
            )
            for sample in SAMPLE_SPLITS
        ]
        self.store.corpora.add(*corpora)
        self.store.splits.add(*splits)
        return len(corpora)

    def _add_model(self, directory: Path) -> None:
        """Adds the run of a shipped bundle, unless a start that was broken off did already.

        That its tensors fit its config is tested before it ships: looking here would cost seconds, for torch.
        """
        bundle = read_bundle(directory)
        if bundle.run.id in dict(self.store.runs.names(deleted=True)):
            return
        tags = tuple(dict.fromkeys((*bundle.run.tags, SAMPLE_TAG)))
        self._take_in(replace(bundle, run=replace(bundle.run, tags=tags)), directory)
