"""Trained runs and baselines on the tasks of a split: every score is made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.config import run_config
from metalm.home.lineage import seen_tasks
from metalm.home.loading import Loaded, Loading
from metalm.learn.stopping import ShouldStop, Stopped, never
from metalm.store.runs import Run
from metalm.text.splits import Role, Split

if TYPE_CHECKING:
    from metalm.evaluate.contenders import AdaptingGru, Contender
    from metalm.evaluate.protocol import Protocol, Row

SUPPORT_BYTES = (0, 2048, 10240)


class Evaluating(Loading):
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
        baselines: bool = False,
        online: bool = False,
        device: str = "auto",
        on_progress: Callable[[float], None] | None = None,
        should_stop: ShouldStop = never,
    ) -> Iterator[Row]:
        """Every row of every run, and of the baselines when asked for, as it is made.

        online: also the online track, on which the run goes on learning while it codes (dynamic evaluation,
        tuned on meta-validation), beside compressors. split: None is each run's own. steps: None is what the
        run tuned. Rows are kept; those that are there already are given, not made again. Each run whose
        meta-test is asked for is an opening of it.
        on_progress hears the share done, 0 to 1, before each row: runs count alike, and of a run its
        baselines as much as itself. Ends early when `should_stop` says so. Raises NotFoundError when a text
        is not in this home.
        """
        from metalm.evaluate.protocol import Protocol

        runs = [self.load(ref, device=device) for ref in refs]
        for place, loaded in enumerate(runs):
            frozen = self.split(split or loaded.run.split_id)
            protocol = Protocol(split_id=frozen.id, role=role, support_bytes=tuple(support), draws=draws)
            if role == "meta-test":
                self.store.splits.record_opening(frozen.id, loaded.run.id)
            contenders = self._contenders(loaded, frozen, steps, baselines, should_stop)
            contenders += self._online(loaded, frozen, should_stop) if online else []
            for number, (owner, make) in enumerate(contenders):
                begin, part = place + number / len(contenders), 1 / len(contenders)
                for row, share in self._rows(owner, make, frozen, protocol, should_stop):
                    if on_progress is not None:
                        on_progress((begin + part * share) / len(runs))
                    yield row
        self.store.flush()

    def _contenders(
        self, loaded: Loaded, split: Split, steps: int | None, baselines: bool, should_stop: ShouldStop
    ) -> list[tuple[Loaded | None, Callable[[], Contender]]]:
        """The run, and what it must beat, each with the run whose weights it uses (None: nobody's).

        They are made when it is their turn: the scratch baseline is tuned first. Making it raises Stopped.
        """
        from metalm.evaluate import baselines as known

        own = _adapting(loaded)
        asked = own if steps is None else replace(own, rule=own.rule.with_inner(steps=steps))
        if not baselines:
            return [(loaded, lambda: asked)]
        joint = self._joint(loaded)
        of_joint = (known.joint_zero_shot, known.joint_fine_tuning) if joint else ()
        if joint and joint.run.id == loaded.run.id:  # fine-tuned it is the run itself
            of_joint = (known.joint_zero_shot,)
        validation = self.texts(split.id, "meta-validation")
        config, device = run_config(loaded.run.config), loaded.weights["embedding.weight"].device
        options = {"seed": loaded.run.seed, "device": device, "should_stop": should_stop}
        return [
            (loaded, lambda: asked),
            (None, lambda: known.UNIFORM),
            (None, lambda: known.UNIGRAM),
            (None, lambda: known.NGRAM),
            *((joint, partial(baseline, _adapting(joint))) for baseline in of_joint),
            (loaded, partial(known.scratch, config.model, loaded.tokenizer, validation, **options)),
        ]

    def _online(
        self, loaded: Loaded, split: Split, should_stop: ShouldStop
    ) -> list[tuple[Loaded | None, Callable[[], Contender]]]:
        """What learns while it codes: the run itself, and compressors. As `_contenders`."""
        from metalm.evaluate import baselines as known
        from metalm.evaluate.dynamic import DynamicGru, tuned_dynamic

        def dynamic() -> Contender:
            own = DynamicGru(
                model=loaded.model,
                weights=loaded.weights,
                tokenizer=loaded.tokenizer,
                seed=loaded.run.seed,
            )
            return tuned_dynamic(own, self.texts(split.id, "meta-validation"), should_stop=should_stop)

        def primed() -> Contender:
            texts = self.texts(split.id, "meta-train")
            return known.primed_ppmd([text.read(0, text.cut.train_end) for text in texts], split.id)

        return [(loaded, dynamic), (None, lambda: known.PPMD), (None, primed), (None, lambda: known.XZ)]

    def _joint(self, loaded: Loaded) -> Loaded | None:
        """The run itself or its nearest ancestor that is a joint run and is still here."""
        run: Run | None = loaded.run
        while run is not None and run.algorithm != "joint":
            run = self.parent_of(run)
        if run is None or run.id == loaded.run.id:
            return loaded if run else None
        return self.load(run.id, device=loaded.weights["embedding.weight"].device.type)

    def _rows(
        self,
        owner: Loaded | None,
        make: Callable[[], Contender],
        split: Split,
        protocol: Protocol,
        should_stop: ShouldStop,
    ) -> Iterator[tuple[Row, float]]:
        """Each row of a contender, with the share of them that is made by then. Ends early as `evaluate`."""
        from metalm.evaluate.protocol import evaluate, num_rows

        place = {
            "run_id": owner.run.id if owner else None,
            "checkpoint_step": owner.checkpoint_step if owner else None,
        }
        try:
            contender = make()
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
            and row.adaptation_step in contender.steps()
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


def _adapting(loaded: Loaded) -> AdaptingGru:
    from metalm.evaluate.contenders import AdaptingGru

    return AdaptingGru(
        model=loaded.model,
        weights=loaded.weights,
        tokenizer=loaded.tokenizer,
        rule=loaded.rule,
        seed=loaded.run.seed,
    )
