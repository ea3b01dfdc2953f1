"""Deleted runs: in the bin for a while, from which they come back as they were, then gone for good."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from metalm.errors import RunStateError
from metalm.home.runs import Runs
from metalm.store.values import now

KEPT_DAYS = 30


class RunBin(Runs):
    """The part of a home that forgets runs, and remembers them in time."""

    def discard_runs(self, refs: Collection[str]) -> list[str]:
        """Puts runs into the bin, all or none; their ids, by which `restore_runs` brings them back.

        Raises RunStateError while one is queued, running or being evaluated.
        """
        runs = [self.run(ref) for ref in refs]
        busy = {id for job in self.store.jobs.with_status("running") for id in job.payload.get("runs", ())}
        for run in runs:
            if run.id in busy:
                raise RunStateError(
                    f"run {run.name!r} must not be under evaluation to be deleted; stop that first"
                )
        self.store.bin.add([run.id for run in runs])
        return [run.id for run in runs]

    def restore_runs(self, run_ids: Collection[str]) -> list[str]:
        """Brings runs back from the bin; the names that they have now. Raises NotFoundError."""
        return self.store.bin.restore(run_ids)

    def empty_bin(self, run_ids: Collection[str] | None = None, *, older_than: float = 0) -> int:
        """Deletes for good what lies in the bin for `older_than` days; of it only `run_ids` where given.

        Returns how many runs that were.
        """
        gone = [
            run_id
            for run_id in self.store.bin.before(now() - timedelta(days=older_than))
            if run_ids is None or run_id in run_ids
        ]
        for run_id in gone:
            self.remove_run(self.store.runs.get(run_id))
        return len(gone)
