"""What an operator watches of a store: a few counts, each quick however much it holds."""

from __future__ import annotations

from metalm.store.database import Database

_RATES = """
SELECT r.id, r.name, r.step, r.progress, arg_max(m.value, m.step) FILTER (isfinite(m.value))
FROM runs r LEFT JOIN metrics m ON m.run = r.id AND m.name = 'tokens_per_second'
WHERE r.status = 'running' AND r.deleted_at IS NULL
GROUP BY r.id, r.name, r.step, r.progress ORDER BY r.id
"""


class Gauges:
    """Readings of the tables `runs` and `metrics`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs_by_status(self) -> dict[str, int]:
        """How many runs have each status that occurs; those in the bin do not count."""
        return dict(
            self._database.rows(
                "SELECT status, count(*) FROM runs WHERE deleted_at IS NULL GROUP BY status ORDER BY status"
            )
        )

    def running(self) -> list[tuple[str, str, int, float, float | None]]:
        """(id, name, outer step, progress, tokens a second as last measured) of each run that trains."""
        return self._database.rows(_RATES)
