"""Live demos that were saved, with every character's nats after each step, and the texts that runs wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from metalm.errors import NotFoundError
from metalm.store.database import Database, Transaction
from metalm.store.values import naive, new_id, now, record, to_json

_STEP_FIELDS = (
    "adaptation_id",
    "step",
    "nats",
    "tokens",
    "bytes",
    "chars",
    "seconds",
    "char_nats",
    "guesses",
)


@dataclass(frozen=True, kw_only=True)
class AdaptationStep:
    """The query's score after `step` steps: summed nats with counts, and the nats of each character.

    guesses: what the run would rather have read, as `metalm.evaluate.guesses` tells it, where that was asked.
    """

    step: int
    nats: float
    tokens: int
    bytes: int
    chars: int
    seconds: float
    char_nats: tuple[float, ...]
    guesses: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class AdaptationRecord:
    """A run adapted to `support` and judged on `query`.

    adaptation: the inner loop's settings, with the steps that were made; and `asked_steps`, where known.
    """

    id: str = field(default_factory=new_id)
    run: str
    name: str
    support: str
    query: str
    adaptation: dict[str, Any]
    created_at: datetime = field(default_factory=now)

    @property
    def stopped_after(self) -> tuple[int, int] | None:
        """The steps made and those asked for, where it was stopped on its way."""
        made, asked = self.adaptation.get("steps"), self.adaptation.get("asked_steps")
        return None if made is None or asked is None or made >= asked else (made, asked)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A text that a run wrote after `prompt`, `adaptation_step` steps into an adaptation, if any."""

    id: str = field(default_factory=new_id)
    run: str
    adaptation_id: str | None = None
    adaptation_step: int = 0
    prompt: str
    text: str
    temperature: float
    top_p: float = 1.0
    seed: int
    created_at: datetime = field(default_factory=now)


class Adaptations:
    """The tables `adaptations`, `adaptation_steps` and `samples`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, adaptation: AdaptationRecord, steps: Sequence[AdaptationStep], samples: Sequence[Sample] = ()
    ) -> None:
        """Saves a demo with its steps and samples, all or nothing."""

        def insert(transaction: Transaction) -> None:
            values = {**asdict(adaptation), "adaptation": to_json(adaptation.adaptation)}
            values["created_at"] = naive(adaptation.created_at)
            transaction.append("adaptations", tuple(values), [tuple(values.values())])
            rows = [_step_row(adaptation.id, step) for step in steps]
            transaction.append("adaptation_steps", _STEP_FIELDS, rows)
            _add_samples(transaction, samples)

        self._database.write(insert)

    def all(self) -> list[AdaptationRecord]:
        """Every saved demo, newest first."""
        return [_adaptation(row) for row in self._database.rows(_SELECT + "ORDER BY created_at DESC, id")]

    def get(self, adaptation_id: str) -> AdaptationRecord:
        """The demo with this id. Raises NotFoundError."""
        row = self._database.row(_SELECT + "WHERE id = ?", [adaptation_id])
        if row is None:
            raise NotFoundError(f"no saved adaptation {adaptation_id!r} in the store")
        return _adaptation(row)

    def steps(self, adaptation_id: str) -> list[AdaptationStep]:
        """The steps of a saved demo, from 0 on."""
        rows = self._database.rows(
            "SELECT step, nats, tokens, bytes, chars, seconds, char_nats, guesses FROM adaptation_steps "
            "WHERE adaptation_id = ? ORDER BY step",
            [adaptation_id],
        )
        return [
            record(AdaptationStep, (*row[:-2], tuple(row[-2]), row[-1]), json=["guesses"]) for row in rows
        ]

    def delete(self, adaptation_id: str) -> None:
        """Forgets a saved demo, its steps and its samples."""

        def delete(transaction: Transaction) -> None:
            transaction.execute("DELETE FROM samples WHERE adaptation_id = ?", [adaptation_id])
            transaction.execute("DELETE FROM adaptation_steps WHERE adaptation_id = ?", [adaptation_id])
            transaction.execute("DELETE FROM adaptations WHERE id = ?", [adaptation_id])

        self._database.write(delete)

    def add_samples(self, samples: Sequence[Sample]) -> None:
        """Saves texts that runs wrote."""
        self._database.write(lambda transaction: _add_samples(transaction, samples))

    def replace_samples(self, adaptation_id: str, samples: Sequence[Sample]) -> None:
        """Other texts in place of those that a demo has."""

        def replace(transaction: Transaction) -> None:
            transaction.execute("DELETE FROM samples WHERE adaptation_id = ?", [adaptation_id])
            _add_samples(transaction, samples)

        self._database.write(replace)

    def samples(self, *, run: str | None = None, adaptation_id: str | None = None) -> list[Sample]:
        """The saved texts, of a run or of a demo, newest first."""
        rows = self._database.rows(_SAMPLES, [run, run, adaptation_id, adaptation_id])
        return [record(Sample, row) for row in rows]


_SELECT = "SELECT id, run, name, support, query, adaptation, created_at FROM adaptations "

_SAMPLES = """
SELECT id, run, adaptation_id, adaptation_step, prompt, text, temperature, top_p, seed, created_at
FROM samples
WHERE (CAST(? AS VARCHAR) IS NULL OR run = ?) AND (CAST(? AS VARCHAR) IS NULL OR adaptation_id = ?)
ORDER BY created_at DESC, id
"""


def _adaptation(row: tuple) -> AdaptationRecord:
    return record(AdaptationRecord, row, json=["adaptation"])


def _step_row(adaptation_id: str, step: AdaptationStep) -> tuple:
    values = asdict(step)
    values["char_nats"] = list(step.char_nats)
    values["guesses"] = None if step.guesses is None else to_json(step.guesses)
    return adaptation_id, *values.values()


def _add_samples(transaction: Transaction, samples: Sequence[Sample]) -> None:
    columns = tuple(f.name for f in fields(Sample))
    rows = [{**asdict(sample), "created_at": naive(sample.created_at)} for sample in samples]
    transaction.append("samples", columns, [tuple(row.values()) for row in rows])
