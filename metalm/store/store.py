"""A store: one DuckDB file and its sections, one a group of tables."""

from __future__ import annotations

from pathlib import Path

from metalm.store.adaptations import Adaptations
from metalm.store.bin import Bin
from metalm.store.bundles import Bundles
from metalm.store.corpora import Corpora
from metalm.store.database import Database
from metalm.store.evaluations import Evaluations
from metalm.store.events import Events
from metalm.store.gauges import Gauges
from metalm.store.jobs import Jobs
from metalm.store.metrics import Metrics
from metalm.store.run_table import RunTable
from metalm.store.runs import Runs
from metalm.store.schema import migrate
from metalm.store.splits import Splits
from metalm.store.studies import Studies
from metalm.store.task_metrics import TaskMetrics
from metalm.store.task_results import TaskResults
from metalm.store.tokenizers import Tokenizers
from metalm.store.tunings import Tunings
from metalm.store.views import SavedViews


class Store:
    """Opens the file, brings its tables up to date, and owns it until `close`. Any thread may use it.

    Raises HomeError when another process has the file, when it cannot be read, or when a newer metalm wrote
    it. A corrupt write-ahead log is moved aside, kept, and recorded as an event.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        try:
            migrate(self._database)
        except BaseException:
            self._database.close()
            raise
        self.corpora = Corpora(self._database)
        self.splits = Splits(self._database)
        self.tokenizers = Tokenizers(self._database)
        self.runs = Runs(self._database)
        self.run_table = RunTable(self._database)
        self.bin = Bin(self._database)
        self.views = SavedViews(self._database)
        self.metrics = Metrics(self._database)
        self.task_metrics = TaskMetrics(self._database)
        self.evaluations = Evaluations(self._database)
        self.task_results = TaskResults(self._database)
        self.tunings = Tunings(self._database)
        self.studies = Studies(self._database)
        self.adaptations = Adaptations(self._database)
        self.jobs = Jobs(self._database)
        self.events = Events(self._database)
        self.gauges = Gauges(self._database)
        self.bundles = Bundles(self._database)
        if (kept := self._database.quarantined) is not None:
            message = (
                f"the write-ahead log was corrupt and was moved to {kept.name}; its last rows may be lost"
            )
            self.events.add("quarantine", "", message)

    def flush(self) -> None:
        """Waits until everything that was added before can be read, and would survive a kill."""
        self._database.flush()

    def close(self) -> None:
        """Writes what is buffered and gives the file back. Twice is once."""
        self._database.close()
