"""A whole run into the store in one transaction: what comes from a bundle is there whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from metalm.store import evaluations, runs, splits, tokenizers
from metalm.store.database import Database, Transaction
from metalm.store.metrics import Point
from metalm.store.runs import Run
from metalm.store.values import naive, now
from metalm.text.splits import Split
from metalm.text.tokenizers import Tokenizer


class Bundles:
    """Writes runs that were made elsewhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        run: Run,
        split: Split,
        *,
        tokenizer: Tokenizer,
        summary: Mapping[str, Any] | None,
        openings: Mapping[str, int],
        points: Iterable[Point],
        scores: Iterable[tuple],
    ) -> None:
        """A run with its split (unless that is here), tokenizer, points and evaluations.

        summary: the numbers of `run_summary`. openings: how often the run opened meta-test, by split id.
        scores: values of evaluations.COLUMNS, `adaptation` as JSON text. Raises SplitError when another split
        has this one's name.
        """

        def insert(transaction: Transaction) -> None:
            at = naive(now())
            splits.insert(transaction, split)
            tokenizers.insert(transaction, tokenizer)
            runs.insert(transaction, run)
            if summary is not None:
                values = {"run": run.id, **summary}
                transaction.append("run_summary", tuple(values), [tuple(values.values())])
            opened = ((split_id, run.id, at) for split_id, number in openings.items() for _ in range(number))
            transaction.append("openings", ("split_id", "run_id", "created_at"), opened)
            transaction.append("metrics", ("run", *Point._fields), ((run.id, *point) for point in points))
            scored = ((*score, at) for score in scores)
            transaction.append("evaluations", (*evaluations.COLUMNS, "created_at"), scored)

        self._database.write(insert)
