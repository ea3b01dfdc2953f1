"""The runs: what was asked, how far each is, and how it ended. Their curves are in `metrics`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

import pandas as pd

from metalm.errors import NotFoundError, RunStateError
from metalm.store import lines, run_heads
from metalm.store.database import Database, Transaction
from metalm.store.run_heads import RunHead
from metalm.store.run_queries import DELETE, DELETE_LATER, SELECT, START, TABLE
from metalm.store.values import naive, now, record, to_json

# imported: curves that another tracker kept, without weights; whatever needs those asks for other statuses.
RunStatus = Literal["queued", "running", "finished", "stopped", "failed", "interrupted", "imported"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training. `id` is 12 hex digits.

    parent: the run whose weights it started from. tokenizer: a hash, "" until it is fitted. group: shared by
    the seeds that were launched together. adaptation: what tuning chose at the end. seen: the texts that the
    run or an ancestor was trained on, each "sha256:begin:end"; validated: those that it or an ancestor was
    chosen by. tokens, seconds: spent in training so far. best_value: bits per byte after adaptation, the mean
    over meta-validation.
    """

    id: str
    name: str
    status: RunStatus
    algorithm: str
    split_id: str
    seed: int
    config: dict[str, Any]
    device: str = ""
    code_version: str = ""
    parent: str | None = None
    tokenizer: str = ""
    group: str = ""
    owner_pid: int | None = None
    owner_boot: str = ""
    heartbeat: datetime | None = None
    error: str = ""
    traceback: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    archived: bool = False
    adaptation: dict[str, Any] | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    best_step: int | None = None
    best_value: float | None = None
    seen: tuple[str, ...] = ()
    validated: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Another program made it: its config has that one's parameters, under `imported`, alone."""
        return "imported" in self.config

    @property
    def tuned_value(self) -> float | None:
        """Bits per byte on meta-validation after adaptation as it was tuned: all runs are tuned alike, while
        `best_value` depends on the steps that the run was told to validate with. That until it is tuned."""
        tuned = self.adaptation or {}
        tried = [
            point["bits_per_byte"]
            for point in tuned.get("grid", ())
            if point["bits_per_byte"] is not None and point.get("support_bytes") == tuned.get("support_bytes")
        ]
        return min(tried, default=self.best_value)


SUMMARY = ("bits_per_byte_before", "bits_per_byte_after", "tokens_per_second")  # of `run_summary`
_JSON = ("config", "adaptation")
_TUPLES = ("tags", "seen", "validated")
_FIELDS = tuple(field.name for field in fields(Run))


class Runs:
    """The tables `runs` and `run_summary`. Raises NotFoundError for an id that is not in them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- reading ----

    def get(self, run_id: str) -> Run:
        """The run with this id."""
        row = self._database.row(SELECT + "WHERE id = ?", [run_id])
        if row is None:
            raise NotFoundError(f"no run {run_id!r} in the store")
        return _run(row)

    def these(self, run_ids: Sequence[str]) -> list[Run]:
        """The runs with these ids, in this order."""
        rows = self._database.rows(SELECT + "WHERE list_contains(?, id)", [list(run_ids)])
        found = {run.id: run for run in map(_run, rows)}
        for run_id in run_ids:
            if run_id not in found:
                raise NotFoundError(f"no run {run_id!r} in the store")
        return [found[run_id] for run_id in run_ids]

    def all(self) -> list[Run]:
        """Every run, newest first; those in the bin (see `bin`) not."""
        return [
            _run(row)
            for row in self._database.rows(SELECT + "WHERE deleted_at IS NULL ORDER BY created_at DESC, id")
        ]

    def heads(self) -> list[RunHead]:
        """The same in short: of thousands, in a tenth of the time."""
        return run_heads.read(self._database)

    def with_status(self, *statuses: RunStatus) -> list[Run]:
        """The runs of these statuses, newest first."""
        rows = self._database.rows(
            SELECT + "WHERE list_contains(?, status) AND deleted_at IS NULL ORDER BY created_at DESC, id",
            [list(statuses)],
        )
        return [_run(row) for row in rows]

    def named(self, names: Collection[str]) -> list[Run]:
        """The runs of these names, newest first; what nobody is called is left out."""
        rows = self._database.rows(
            SELECT + "WHERE list_contains(?, name) AND deleted_at IS NULL ORDER BY created_at DESC, id",
            [list(names)],
        )
        return [_run(row) for row in rows]

    def names(self, *, deleted: bool = False) -> list[tuple[str, str]]:
        """(id, name) of every run, newest first; with `deleted` also those in the bin."""
        return self._database.rows(
            "SELECT id, name FROM runs WHERE ? OR deleted_at IS NULL ORDER BY created_at DESC, id", [deleted]
        )

    def table(self) -> pd.DataFrame:
        """One row a run, newest first.

        Columns id, name, status, algorithm, split (its name), split_id, seed, group, device, parent, step,
        tokens, seconds, progress, best_step, best_value, bits_per_byte_before and bits_per_byte_after
        adaptation (means over meta-validation at the best step), tokens_per_second, tags (list), notes,
        archived, error, config (JSON text), created_at, started_at, finished_at.
        """
        return self._database.frame(TABLE)

    def summary(self, run_id: str) -> dict[str, float | None] | None:
        """What `summarise` kept, None before."""
        row = self._database.row(
            "SELECT bits_per_byte_before, bits_per_byte_after, tokens_per_second FROM run_summary "
            "WHERE run = ?",
            [run_id],
        )
        return row and dict(zip(SUMMARY, row, strict=True))

    # ---- a run's life ----

    def add(self, *runs: Run) -> None:
        """New runs, all or none."""

        self._database.write(lambda transaction: insert(transaction, *runs))

    def set_status(
        self,
        run_id: str,
        status: RunStatus,
        *,
        expected: Collection[RunStatus],
        error: str = "",
        traceback: str = "",
    ) -> None:
        """Changes the status from one of the `expected`; times and owner follow from it.

        Raises RunStateError when the run has another one by now.
        """
        over = status not in ("queued", "running")

        def change(transaction: Transaction) -> None:
            _require(transaction, run_id, expected, f"become {status}")
            transaction.execute(
                "UPDATE runs SET status = ?, error = ?, traceback = ?, finished_at = ?, owner_pid = NULL, "
                "owner_boot = '' WHERE id = ?",
                [status, error, traceback, naive(now()) if over else None, run_id],
            )

        self._database.write(change)

    def start(
        self, run_id: str, *, step: int, owes_validation: bool, device: str, pid: int, boot_id: str
    ) -> None:
        """Marks a run as running in this process, and with it deletes its points past the checkpoint.

        step, owes_validation: the checkpoint's; with the latter, its step's meta-validation will come again.
        Raises RunStateError when the run is running already, or finished.
        """

        def restart(transaction: Transaction) -> None:
            idle = ("queued", "stopped", "failed", "interrupted")
            _require(transaction, run_id, idle, "start")
            transaction.execute(DELETE_LATER, [run_id, step, owes_validation, step])
            lines.forget(transaction, run_id, step)
            transaction.execute(START, [device, pid, boot_id, (at := naive(now())), at, run_id])

        self._database.write(restart)

    def progress(self, run_id: str, *, step: int, tokens: int, seconds: float, progress: float) -> None:
        """How far a running run is; written within a second."""
        self._database.buffer_update(
            ("run", run_id),
            "UPDATE runs SET step = ?, tokens = ?, seconds = ?, progress = ?, heartbeat = ? WHERE id = ?",
            [step, tokens, seconds, progress, naive(now()), run_id],
        )

    def heartbeat(self, run_id: str) -> None:
        """The run's worker is alive; written within a second."""
        self._database.buffer_update(
            ("heartbeat", run_id), "UPDATE runs SET heartbeat = ? WHERE id = ?", [naive(now()), run_id]
        )

    def set_best(self, run_id: str, step: int | None, value: float | None) -> None:
        """The step of the best weights so far, and what they came to: see `best_value`."""
        self._database.execute(
            "UPDATE runs SET best_step = ?, best_value = ? WHERE id = ?", [step, value, run_id]
        )

    def summarise(self, run_id: str, **values: float | None) -> None:
        """The figures of the runs table that cost a scan of the metrics: see `run_summary` in `schema`."""
        row = {"run": run_id, **dict.fromkeys(SUMMARY), **values}

        def replace(transaction: Transaction) -> None:
            transaction.execute("DELETE FROM run_summary WHERE run = ?", [run_id])
            transaction.append("run_summary", tuple(row), [tuple(row.values())])

        self._database.write(replace)

    # ---- what a user writes on it ----

    def rename(self, run_id: str, name: str) -> None:
        """Another name."""
        self._database.execute("UPDATE runs SET name = ? WHERE id = ?", [name, run_id])

    def set_tags(self, run_id: str, tags: Collection[str]) -> None:
        """These tags and no others."""
        self._database.execute("UPDATE runs SET tags = ? WHERE id = ?", [to_json(list(tags)), run_id])

    def set_notes(self, run_id: str, notes: str) -> None:
        """These notes."""
        self._database.execute("UPDATE runs SET notes = ? WHERE id = ?", [notes, run_id])

    def set_archived(self, run_id: str, archived: bool) -> None:
        """Archived runs are left out where runs are listed."""
        self._database.execute("UPDATE runs SET archived = ? WHERE id = ?", [archived, run_id])

    # ---- what training finds out ----

    def set_device(self, run_id: str, device: str) -> None:
        """The kind of device that it trains on."""
        self._database.execute("UPDATE runs SET device = ? WHERE id = ?", [device, run_id])

    def set_tokenizer(self, run_id: str, tokenizer: str) -> None:
        """The hash of the run's tokenizer."""
        self._database.execute("UPDATE runs SET tokenizer = ? WHERE id = ?", [tokenizer, run_id])

    def set_adaptation(self, run_id: str, adaptation: dict[str, Any]) -> None:
        """What tuning chose."""
        self._database.execute("UPDATE runs SET adaptation = ? WHERE id = ?", [to_json(adaptation), run_id])

    def set_config(self, run_id: str, config: dict[str, Any]) -> None:
        """The config after an extension."""
        self._database.execute("UPDATE runs SET config = ? WHERE id = ?", [to_json(config), run_id])

    def delete(self, run_id: str) -> None:
        """Deletes the run with every row of it. How often a split's meta-test was opened stays counted.

        Raises RunStateError while it is running.
        """

        def delete(transaction: Transaction) -> None:
            _require(
                transaction,
                run_id,
                [status for status in get_args(RunStatus) if status != "running"],
                "be deleted",
            )
            for statement in DELETE:
                transaction.execute(statement, [run_id])

        self._database.write(delete)


def insert(transaction: Transaction, *runs: Run) -> None:
    """Adds runs."""
    transaction.append("runs", _FIELDS, [_row(run) for run in runs])


def _require(transaction: Transaction, run_id: str, expected: Collection[str], wish: str) -> None:
    rows = transaction.execute("SELECT name, status FROM runs WHERE id = ?", [run_id])
    if not rows:
        raise NotFoundError(f"no run {run_id!r} in the store")
    name, status = rows[0]
    if status not in expected:
        raise RunStateError(f"run {name!r} must be {' or '.join(expected)} to {wish}, it is {status}")


def _run(row: tuple) -> Run:
    return record(Run, row, json=_JSON, tuples=_TUPLES)


def _row(run: Run) -> tuple:
    values = asdict(run)
    for name in (*_JSON, *_TUPLES):
        values[name] = None if values[name] is None else to_json(values[name])
    for name in ("heartbeat", "created_at", "started_at", "finished_at"):
        values[name] = naive(values[name])
    return tuple(values.values())
