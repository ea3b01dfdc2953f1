"""What happened in a home that somebody may want to know later: a quarantined log, an interrupted run."""

from __future__ import annotations

import pandas as pd

from metalm.store.database import Database
from metalm.store.values import naive, now


class Events:
    """The table `events`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, subject: str, message: str) -> None:
        """Records an event. subject: the id of what it befell, "" for the home itself."""
        self._database.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?)", [naive(now()), kind, subject, message]
        )

    def has(self, kind: str) -> bool:
        """Something of this kind has happened."""
        return self._database.row("SELECT 1 FROM events WHERE kind = ? LIMIT 1", [kind]) is not None

    def of(self, subject: str) -> pd.DataFrame:
        """What befell one thing, newest first: created_at, kind, message."""
        return self._database.frame(
            "SELECT created_at, kind, message FROM events WHERE subject = ? ORDER BY created_at DESC",
            [subject],
        )

    def recent(self, limit: int = 50) -> pd.DataFrame:
        """The newest events: created_at, kind, subject, message."""
        return self._database.frame(
            "SELECT created_at, kind, subject, message FROM events ORDER BY created_at DESC LIMIT ?", [limit]
        )
