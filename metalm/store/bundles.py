"""A whole run into the store in one transaction: what comes from a bundle is there whole, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from metalm.store import evaluations, runs, splits
from metalm.store.database import Database, Transaction
from metalm.store.metrics import Point
from metalm.store.runs import Run
from metalm.store.values import naive, now, to_json
from metalm.text.splits import Split


class Bundles:
    """Writes runs that were made elsewhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        run: Run,
        split: Split,
        *,
        tokenizer: Mapping[str, Any] | None,
        summary: Mapping[str, Any] | None,
        metrics: pd.DataFrame,
        scores: pd.DataFrame,
    ) -> None:
        """A run with its split (unless that is here), tokenizer, points and evaluations.

        tokenizer: hash, kind, vocab_size, data. metrics: the fields of `Point`. scores: evaluations.COLUMNS,
        `adaptation` as JSON text. Raises SplitError when another split has the split's name.
        """

        def insert(transaction: Transaction) -> None:
            at = naive(now())
            splits.insert(transaction, split)
            if tokenizer is not None:
                values = [
                    tokenizer["hash"],
                    tokenizer["kind"],
                    tokenizer["vocab_size"],
                    to_json(tokenizer["data"]),
                ]
                transaction.execute(
                    "INSERT INTO tokenizers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", [*values, at]
                )
            runs.insert(transaction, run)
            if summary is not None:
                transaction.append("run_summary", tuple(summary), [tuple(summary.values())])
            points = [(run.id, *point) for point in _rows(metrics, Point._fields)]
            transaction.append("metrics", ("run", *Point._fields), points)
            scored = [(*row, at) for row in _rows(scores, evaluations.COLUMNS)]
            transaction.append("evaluations", (*evaluations.COLUMNS, "created_at"), scored)

        self._database.write(insert)


def _rows(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple]:
    """Rows of plain Python values; missing names and steps are None, while a NaN number stays NaN."""
    lists = [_plain(frame[name]) for name in columns]
    return list(zip(*lists, strict=True))


def _plain(values: pd.Series) -> list:
    if values.dtype.kind == "f" and values.name in ("value", "nats", "seconds", "wall_seconds"):
        return values.tolist()
    if values.dtype.kind == "f":
        return [None if value != value else int(value) for value in values.tolist()]
    return values.astype(object).where(values.notna(), None).tolist()
