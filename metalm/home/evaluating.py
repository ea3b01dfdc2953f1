"""Trained runs and baselines on the tasks of a split: every score is made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.config import OWN, methods_of
from metalm.home.contending import Asked, Contending, Entry
from metalm.home.lineage import seen_tasks
from metalm.learn.stopping import ShouldStop, Stopped, never
from metalm.text.splits import Role, Split

if TYPE_CHECKING:
    from metalm.evaluate.contenders import Contender
    from metalm.evaluate.protocol import Protocol, Row

SUPPORT_BYTES = (0, 2048, 10240)


class Evaluating(Contending):
    """The part of a home that evaluates."""

    def evaluate(
        self,
        refs: Sequence[str],
        *,
        split: str | None = None,
        role: Role = "meta-validation",
        support: Sequence[int] = SUPPORT_BYTES,
        steps: int | None = None,
        draws: int = 1,
        methods: Sequence[str] = OWN,
        ends: bool = False,
        device: str = "auto",
        on_progress: Callable[[float], None] | None = None,
        should_stop: ShouldStop = never,
    ) -> Iterator[Row]:
        """Every row of every run by these methods, as it is made.

        methods: names or groups of `metalm.config.methods`; those that there are for a run. A baseline is
        judged beside each run. split: None is each run's own. steps: of a run's own adaptation, at the rate
        that was the best for as many, where tuning tried them; None is what it tuned. ends: what adapts is
        judged before and after, not along the way; much of the time is saved. Rows are kept; those
        that are there already are given, not made again. Each run whose meta-test is asked for is an opening
        of it.
        on_progress hears the share done, 0 to 1, before each row: runs count alike, and of a run its
        methods. Ends early when `should_stop` says so. Raises NotFoundError when a text is not in this home,
        ConfigError for a method that does not exist.
        """
        from metalm.evaluate.protocol import Protocol

        asked = methods_of(methods)
        runs = [self.load(ref, device=device) for ref in refs]
        for place, loaded in enumerate(runs):
            frozen = self.split(split or loaded.run.split_id)
            protocol = Protocol(split_id=frozen.id, role=role, support_bytes=tuple(support), draws=draws)
            if role == "meta-test":
                self.store.splits.record_opening(frozen.id, loaded.run.id)
            entries = self.entries(asked, Asked(loaded, frozen, steps, should_stop, ends))
            for number, entry in enumerate(entries):
                begin, part = place + number / len(entries), 1 / len(entries)
                for row, share in self._rows(entry, frozen, protocol, should_stop):
                    if on_progress is not None:
                        on_progress((begin + part * share) / len(runs))
                    yield row
        self.store.flush()

    def _rows(
        self,
        entry: Entry,
        split: Split,
        protocol: Protocol,
        should_stop: ShouldStop,
    ) -> Iterator[tuple[Row, float]]:
        """Each row of a contender, with the share of them that is made by then. Ends early as `evaluate`."""
        from metalm.evaluate.protocol import evaluate, num_rows

        owner = entry.owner
        place = {
            "run_id": owner.run.id if owner else None,
            "checkpoint_step": owner.checkpoint_step if owner else None,
        }
        try:
            contender = entry.make()
        except Stopped:
            return
        texts = self.texts(split.id, protocol.role)
        total = num_rows(contender, texts, protocol)
        done = self._rows_kept(place, contender, protocol)
        yield from ((row, number / total) for number, row in enumerate(done, start=1))
        rows = evaluate(
            contender,
            texts,
            protocol,
            seen=seen_tasks(owner.run, split, protocol.role, self.hash_of) if owner else (),
            done={row.key for row in done},
            should_stop=should_stop,
        )
        for number, row in enumerate(rows, start=len(done) + 1):
            made = replace(row, **place)
            self.store.evaluations.add([asdict(made)])
            yield made, number / total

    def _rows_kept(self, place: Mapping[str, Any], contender: Contender, protocol: Protocol) -> list[Row]:
        """What stands in the store of all that the protocol asks of this contender."""
        from metalm.evaluate.protocol import Row

        kept = self.store.evaluations.done(
            **place,
            split_id=protocol.split_id,
            role=protocol.role,
            method=contender.method,
            adaptation=contender.adaptation,
        )
        rows = [Row(**{**row, "adaptation": contender.adaptation}) for row in kept]
        return [
            row
            for row in rows
            if row.support_bytes in protocol.support_bytes
            and row.draw < protocol.draws
            and row.adaptation_step in contender.steps(row.support_bytes)
        ]

    def evaluations(
        self, refs: Sequence[str] | None = None, *, split: str | None = None, role: Role | None = None
    ) -> pd.DataFrame:
        """The rows kept of these runs (None: all) and of baselines: see `metalm.store.evaluations`."""
        return self.store.evaluations.frame(
            None if refs is None else [self.run(ref).id for ref in refs],
            split_id=self.split(split).id if split else None,
            role=role,
        )
