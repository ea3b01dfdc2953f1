"""The runs of a home: made, found, named, put away, deleted. What training does is in `training`."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from metalm.config import RunConfig, run_config
from metalm.errors import ConfigError, RunStateError
from metalm.home.lineage import check_warm_start, written
from metalm.home.place import resolve
from metalm.home.splits import Splits
from metalm.home.versions import code_version
from metalm.learn.reports import Report
from metalm.store.metrics import Point
from metalm.store.run_heads import RunHead
from metalm.store.runs import Run, RunStatus
from metalm.store.values import free_name, new_id, now
from metalm.text.splits import Split
from metalm.text.tasks import Task

ENDED: tuple[RunStatus, ...] = ("finished", "stopped", "failed", "interrupted")
RESUMABLE: tuple[RunStatus, ...] = ("stopped", "failed", "interrupted")
LOG_BYTES = 100_000  # of a log's end that are shown


class Runs(Splits):
    """The part of a home that keeps runs. `ref` is a run's id, its name, or the beginning of its id."""

    def create_run(
        self,
        config: RunConfig,
        split_ref: str,
        *,
        name: str = "",
        group: str = "",
        tags: Collection[str] = (),
        notes: str = "",
    ) -> Run:
        """A new run, queued; `train` does the work. A name that is taken gets "-2", "-3" ...

        config.init: id or name of the finished run to start from. Raises NotFoundError (no such split or run,
        or a text that is not in this home), LineageError (see `lineage`), RunStateError (the run to start
        from is not finished), ConfigError (it has another model or tokenizer).
        """
        [run] = self._create([config], split_ref, [name], group=group, tags=tuple(tags), notes=notes)
        return run

    def create_runs(
        self,
        config: RunConfig,
        split_ref: str,
        *,
        num_seeds: int,
        name: str = "",
        tags: Collection[str] = (),
        notes: str = "",
    ) -> list[Run]:
        """A run for each of `num_seeds` seeds from config.seed on, all in one group; else as `create_run`."""
        if num_seeds < 1:
            raise ConfigError(f"number of seeds must be 1 or more, got {num_seeds}")
        configs = [replace(config, seed=config.seed + i) for i in range(num_seeds)]
        names = [name] if num_seeds == 1 else [name and f"{name} seed {each.seed}" for each in configs]
        group = new_id() if num_seeds > 1 else ""
        return self._create(configs, split_ref, names, group=group, tags=tuple(tags), notes=notes)

    def planned_run(self, config: RunConfig, split_ref: str) -> Run:
        """The run that `create_run` would make, checked as there; it is not stored."""
        split, parent = self._origins(config, split_ref)
        return self._new_run(replace(config, init=parent and parent.id), split, parent, "planned", {})

    def _origins(self, config: RunConfig, split_ref: str) -> tuple[Split, Run | None]:
        """The split, its texts all there, and the run to start from, which fits."""
        split = self.split(split_ref)
        for member in split.tasks:
            self.text_of(member.task)
        parent = self.run(config.init) if config.init else None
        if parent is not None:
            self._check_parent(parent, config, split)
        return split, parent

    def _create(self, configs: list[RunConfig], split_ref: str, names: list[str], **noted: Any) -> list[Run]:
        split, parent = self._origins(configs[0], split_ref)
        taken = {name for _, name in self.store.runs.names()}
        runs = []
        for config, name in zip(configs, names, strict=True):
            default = f"{config.algorithm.name} {split.name}" + (
                f" seed {config.seed}" if len(configs) > 1 else ""
            )
            unique = free_name(name.strip() or default, taken)
            taken.add(unique)
            runs.append(
                self._new_run(replace(config, init=parent and parent.id), split, parent, unique, noted)
            )
        self.store.runs.add(*runs)
        return [self.store.runs.get(run.id) for run in runs]

    def _new_run(
        self, config: RunConfig, split: Split, parent: Run | None, name: str, noted: Mapping[str, Any]
    ) -> Run:
        # The tokenizer is fitted on meta-train alone, or is the parent's: it adds no text to the lineage.
        return Run(
            id=new_id(),
            name=name,
            status="queued",
            algorithm=config.algorithm.name,
            split_id=split.id,
            seed=config.seed,
            config=config.to_json(),
            code_version=code_version(),
            parent=parent.id if parent else None,
            tokenizer=parent.tokenizer if parent else "",
            created_at=now(),
            seen=written(split.of_role("meta-train"), self.hash_of, parent.seen if parent else ()),
            validated=written(
                split.of_role("meta-validation"), self.hash_of, parent.validated if parent else ()
            ),
            **noted,
        )

    def _check_parent(self, parent: Run, config: RunConfig, split: Split) -> None:
        if parent.status != "finished":
            raise RunStateError(
                f"run {parent.name!r} must be finished to start from it, it is {parent.status}"
            )
        theirs = run_config(parent.config)
        if theirs.tokenizer != config.tokenizer:
            raise ConfigError(
                f"tokenizer must be that of the starting run {parent.name!r} ({theirs.tokenizer.kind}), "
                f"got {config.tokenizer.kind}"
            )
        if replace(theirs.model, dropout=0.0) != replace(config.model, dropout=0.0):
            raise ConfigError(
                f"model must be that of the starting run {parent.name!r}; only dropout may differ"
            )
        check_warm_start(parent, split, self.hash_of)

    def hash_of(self, task: Task) -> str:
        """The sha256 of the stored text that a task is cut from. Raises NotFoundError without that corpus."""
        return self.store.corpora.get(task.corpus_id).sha256

    # ---- finding ----

    def run(self, ref: str) -> Run:
        """One run. Raises NotFoundError, naming the candidates when there are several."""
        return self.store.runs.get(resolve("run", ref, self.store.runs.names()))

    def parent_of(self, run: Run) -> Run | None:
        """The run whose weights it started from; None when it started from none, or that one is gone."""
        if run.parent is None or run.parent not in {id for id, _ in self.store.runs.names()}:
            return None
        return self.store.runs.get(run.parent)

    def runs(self, *, archived: bool = False) -> list[Run]:
        """Every run, newest first; archived ones only when asked for, and then with the others."""
        return [run for run in self.store.runs.all() if archived or not run.archived]

    def run_heads(self) -> list[RunHead]:
        """Those that are not archived, in short: for lists of thousands."""
        return [head for head in self.store.runs.heads() if not head.archived]

    def run_table(self, *, archived: bool = False) -> pd.DataFrame:
        """The same as a table: see `metalm.store.runs.Runs.table`."""
        table = self.store.runs.table()
        return table if archived else table[~table["archived"]].reset_index(drop=True)

    def log(self, ref: str) -> str:
        """The end of what a run's training said; "" before it began."""
        path = self.log_path(self.run(ref).id)
        return path.read_text(encoding="utf-8", errors="replace")[-LOG_BYTES:] if path.exists() else ""

    # ---- what a user writes on it ----

    def rename_run(self, ref: str, name: str) -> None:
        """Gives a run another name. Raises ConfigError when it is empty or another run has it."""
        run = self.run(ref)
        if not name.strip():
            raise ConfigError(f"the name of a run must not be empty, got {name!r}")
        if any(other == name.strip() and id != run.id for id, other in self.store.runs.names()):
            raise ConfigError(f"the name {name.strip()!r} must be free, another run has it")
        self.store.runs.rename(run.id, name.strip())

    def set_tags(self, ref: str, tags: Collection[str]) -> None:
        """These tags, each once, and no others."""
        self.store.runs.set_tags(self.run(ref).id, dict.fromkeys(tag.strip() for tag in tags if tag.strip()))

    def set_notes(self, ref: str, notes: str) -> None:
        """These notes."""
        self.store.runs.set_notes(self.run(ref).id, notes)

    def archive_run(self, ref: str, archived: bool = True) -> None:
        """Puts a run away, or brings it back; nothing of it is lost."""
        self.store.runs.set_archived(self.run(ref).id, archived)

    def delete_run(self, ref: str) -> None:
        """Deletes every row and file of a run. Runs that started from it keep their lineage.

        Raises RunStateError while it is running, or being evaluated.
        """
        run = self.run(ref)
        if any(run.id in job.payload.get("runs", ()) for job in self.store.jobs.with_status("running")):
            raise RunStateError(
                f"run {run.name!r} must not be under evaluation to be deleted; stop that first"
            )
        self.remove_run(run)

    def remove_run(self, run: Run) -> None:
        """Its rows and files, and those that no other run needs."""
        self.store.runs.delete(run.id)
        # Rows first: a folder without a row is swept away at the next start.
        if self.run_dir(run.id).exists():
            shutil.rmtree(self.run_dir(run.id))
        if run.tokenizer and not self.store.tokenizers.is_used(run.tokenizer):
            self.store.tokenizers.delete(run.tokenizer)
            for tokens in self.tokens_dir.glob(f"*-{run.tokenizer[:16]}.npy"):
                tokens.unlink(missing_ok=True)

    # ---- the queue's bookkeeping ----

    def resumable(self, run: Run) -> bool:
        """The run can go on from where it stands."""
        return run.status in RESUMABLE

    def has_checkpoint(self, run_id: str) -> bool:
        """The run can go on from a later step than its first."""
        return any(self.checkpoint_dir(run_id).glob("*.safetensors"))

    def requeue_run(self, ref: str) -> Run:
        """Marks a run that can go on as queued. Raises RunStateError."""
        return self._become(ref, "queued", RESUMABLE)

    def unqueue_run(self, ref: str) -> Run:
        """Marks a queued run as stopped. Raises RunStateError."""
        return self._become(ref, "stopped", ("queued",))

    def extend_run(self, ref: str, amount: float) -> Run:
        """Gives a run that has ended `amount` more, in the unit of its budget, and marks it as queued.

        Raises RunStateError when it has not ended or its checkpoint is elsewhere, ConfigError when amount is
        not above 0.
        """
        run = self.run(ref)
        if not amount > 0:
            raise ConfigError(f"amount must be more than 0, got {amount:g}")
        if run.status in ENDED and not self.has_checkpoint(run.id):
            raise RunStateError(
                f"run {run.name!r} must have a checkpoint to go on; it came without, as a bundle"
            )
        config = run_config(run.config)
        budget = replace(config.budget, amount=config.budget.amount + amount)
        longer = replace(config, budget=budget)
        self._become(ref, "queued", ENDED)
        self.store.runs.set_config(run.id, longer.to_json())
        return self.store.runs.get(run.id)

    def _become(self, ref: str, status: RunStatus, expected: Collection[RunStatus]) -> Run:
        run = self.run(ref)
        self.store.runs.set_status(run.id, status, expected=expected)
        return self.store.runs.get(run.id)

    def heartbeat(self, run_id: str) -> None:
        """The run's worker is alive."""
        self.store.runs.heartbeat(run_id)

    def add_scalars(self, run_id: str, report: Report, values: Mapping[str, float]) -> None:
        """Figures measured beside a training, kept at the place of its latest report."""
        place = report.step, report.tokens, report.seconds
        points = [Point(*place, name, None, None, value) for name, value in values.items()]
        self.store.metrics.add(run_id, points)
