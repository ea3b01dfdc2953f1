"""Operations on runs that exist: list, show, archive, delete, export, import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalm.operations.numbers import finite
from metalm.sharing.run_report import write_report
from metalm.sharing.trackers import export_to as export_to_tracker
from metalm.sharing.trackers import import_from as import_from_tracker

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager
    from metalm.store.runs import Run

Line = dict[str, Any]


def listing(home: Home, _jobs: JobManager, *, archived: bool = False) -> Iterator[Line]:
    """A line a run, newest first; archived runs only when asked for."""
    for run in home.runs(archived=archived):
        yield run_line(home, run)


def show(home: Home, _jobs: JobManager, *, run: str) -> Iterator[Line]:
    """One line: all that is known about a run but its curves."""
    found = home.run(run)
    parent = home.parent_of(found)
    yield {
        **run_line(home, found),
        "parent": parent.name if parent else None,
        "config": found.config,
        "adaptation": found.adaptation,
        "code_version": found.code_version,
        "notes": found.notes,
        "error": found.error or None,
        "log": str(home.log_path(found.id)),
    }


def archive(home: Home, _jobs: JobManager, *, run: str, archived: bool = True) -> Iterator[Line]:
    """One line. An archived run keeps everything and leaves the lists; `archived=False` brings it back."""
    found = home.run(run)
    home.archive_run(found.id, archived)
    yield {"event": "archived" if archived else "unarchived", "id": found.id, "name": found.name}


def delete(home: Home, _jobs: JobManager, *, run: str) -> Iterator[Line]:
    """One line: the run, its rows and its files are gone. RunStateError while it is queued or running."""
    found = home.run(run)
    home.delete_run(found.id)
    yield {"event": "deleted", "id": found.id, "name": found.name}


def export(
    home: Home,
    _jobs: JobManager,
    *,
    run: str,
    directory: str,
    half: bool = False,
    points: int | None = None,
) -> Iterator[Line]:
    """One line: the run as a bundle in `directory`; `points` of each curve, None being all."""
    found = home.run(run)
    path = home.export_run(found.id, Path(directory), half=half, max_points=points)
    yield {"event": "exported", "id": found.id, "name": found.name, "directory": str(path)}


def import_(home: Home, _jobs: JobManager, *, directory: str) -> Iterator[Line]:
    """One line: the run of the bundle in `directory`. BundleError: it is none, or contradicts the home."""
    yield {"event": "imported", **run_line(home, home.import_run(Path(directory)))}


def export_to(
    home: Home, _jobs: JobManager, *, runs: Sequence[str], tracker: str, place: str
) -> Iterator[Line]:
    """A line a run: it is in a tracker's store at `place` now; `at` says where. See `metalm.sharing`."""
    found = [home.run(run) for run in runs]
    for run, at in zip(found, export_to_tracker(home, [r.id for r in found], tracker, place), strict=True):
        yield {"event": "exported", "id": run.id, "name": run.name, "tracker": tracker, "at": at}


def import_from(
    home: Home, _jobs: JobManager, *, tracker: str, place: str, losses: Mapping[str, str] | None = None
) -> Iterator[Line]:
    """A line a run of a tracker's store: it has the status imported. losses: part -> the scalar that is its
    loss in nats per token, for runs that are not metalm's own."""
    for run in import_from_tracker(home, tracker, place, losses or {}):
        yield {"event": "imported", **run_line(home, run)}


def report(home: Home, _jobs: JobManager, *, runs: Sequence[str], out: str) -> Iterator[Line]:
    """One line: the runs side by side in one file, HTML with live charts or Markdown, as `out` ends."""
    path = write_report(home, runs, Path(out))
    yield {"event": "reported", "file": str(path), "bytes": path.stat().st_size}


def run_line(home: Home, run: Run) -> Line:
    """What every list says about a run. `best_bits_per_byte` is on meta-validation, after adaptation."""
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "algorithm": run.algorithm,
        "split": _split_name(home, run),
        "seed": run.seed,
        "device": run.device,
        "step": run.step,
        "tokens": run.tokens,
        "seconds": run.seconds,
        "progress": run.progress,
        "best_step": run.best_step,
        "best_bits_per_byte": finite(run.best_value),
        "tags": list(run.tags),
        "archived": run.archived,
        "created_at": run.created_at.isoformat(),
    }


def _split_name(home: Home, run: Run) -> str | None:
    """None for a run of another program, which has no split, or of a split that is not here."""
    return home.split(run.split_id).name if run.split_id in home.store.splits.names() else None
