"""A trained run put to use: loaded, evaluated on tasks, adapted to a text, sampled from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.config import InnerLoop, run_config
from metalm.errors import RunStateError
from metalm.home.lineage import seen_tasks
from metalm.home.training import Trainings
from metalm.learn.stopping import ShouldStop, never
from metalm.store.adaptations import AdaptationRecord, AdaptationStep, Sample
from metalm.store.runs import Run
from metalm.text.splits import Role, Split
from metalm.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from metalm.evaluate.contenders import AdaptingGru, Contender
    from metalm.evaluate.live import LiveStep
    from metalm.evaluate.protocol import Row
    from metalm.model.fast_weights import Weights
    from metalm.model.gru import GRULM

SUPPORT_BYTES = (0, 2048, 10240)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A run's weights, ready to use by one thread. inner: how the run adapts, as tuned where it was."""

    run: Run
    model: GRULM
    weights: Weights
    tokenizer: Tokenizer
    inner: InnerLoop

    @property
    def checkpoint_step(self) -> int:
        """The outer step that the weights are of."""
        return self.run.step if self.run.best_step is None else self.run.best_step


class Using(Trainings):
    """The part of a home that puts runs to use."""

    def load(self, ref: str, *, device: str = "cpu") -> Loaded:
        """A run's model with its best weights, freshly loaded: a model object must not be shared by threads.

        Raises RunStateError when the run has no weights yet.
        """
        from metalm.learn.tuning import Adaptation
        from metalm.model.device import pick_device
        from metalm.model.fast_weights import slow_weights
        from metalm.model.gru import new_model
        from metalm.model.weight_files import load_weights, model_with

        run = self.run(ref)
        if not self.weights_path(run.id).exists():
            raise RunStateError(f"run {run.name!r} must have been trained to be used, it is {run.status}")
        config = run_config(run.config)
        tokenizer = self.store.tokenizers.get(run.tokenizer)
        model = model_with(
            new_model(config.model, tokenizer.vocab_size, config.seed),
            load_weights(self.weights_path(run.id)),
            f"run {run.name!r}",
        ).to(pick_device(device))
        inner = Adaptation.from_json(run.adaptation).inner if run.adaptation else config.adaptation
        return Loaded(run=run, model=model, weights=slow_weights(model), tokenizer=tokenizer, inner=inner)

    # ---- evaluation ----

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
        device: str = "auto",
        should_stop: ShouldStop = never,
    ) -> Iterator[Row]:
        """The static track: every row of every run, and of the baselines when asked for, as it is made.

        split: None is each run's own. steps: None is what the run tuned. Rows are kept; those that are there
        already are given, not made again. Each run whose meta-test is asked for is an opening of it. Ends
        early when `should_stop` says so. Raises NotFoundError when a text is not in this home.
        """
        from metalm.evaluate.protocol import Protocol

        for loaded in [self.load(ref, device=device) for ref in refs]:
            frozen = self.split(split or loaded.run.split_id)
            protocol = Protocol(split_id=frozen.id, role=role, support_bytes=tuple(support), draws=draws)
            if role == "meta-test":
                self.store.splits.record_opening(frozen.id, loaded.run.id)
            for owner, contender in self._contenders(loaded, frozen, steps, baselines, should_stop):
                yield from self._rows(owner, contender, frozen, protocol, should_stop)
        self.store.flush()

    def _contenders(
        self, loaded: Loaded, split: Split, steps: int | None, baselines: bool, should_stop: ShouldStop
    ) -> Iterator[tuple[Loaded | None, Contender]]:
        """The run, and what it must beat, each with the run whose weights it uses (None: nobody's)."""
        from metalm.evaluate import baselines as known
        from metalm.learn.stopping import Stopped

        own = _adapting(loaded)
        inner = loaded.inner if steps is None else replace(loaded.inner, steps=steps)
        yield loaded, replace(own, inner=inner)
        if not baselines:
            return
        yield None, known.UNIFORM
        yield None, known.UNIGRAM
        joint = self._joint(loaded)
        if joint is not None:
            yield joint, known.joint_zero_shot(_adapting(joint))
            yield joint, known.joint_fine_tuning(_adapting(joint))
        validation = self.texts(split.id, "meta-validation")
        config, device = run_config(loaded.run.config), loaded.weights["embedding.weight"].device
        options = {"seed": loaded.run.seed, "device": device, "should_stop": should_stop}
        try:
            yield loaded, known.scratch(config.model, loaded.tokenizer, validation, **options)
        except Stopped:
            return

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
        contender: Contender,
        split: Split,
        protocol: Any,
        should_stop: ShouldStop,
    ) -> Iterator[Row]:
        from metalm.evaluate.protocol import evaluate

        place = {
            "run_id": owner.run.id if owner else None,
            "checkpoint_step": owner.checkpoint_step if owner else None,
        }
        done = self._rows_kept(place, contender, protocol)
        yield from done
        rows = evaluate(
            contender,
            self.texts(split.id, protocol.role),
            protocol,
            seen=seen_tasks(owner.run, split, protocol.role, self.hash_of) if owner else (),
            done={row.key for row in done},
            should_stop=should_stop,
        )
        for row in rows:
            made = replace(row, **place)
            self.store.evaluations.add([asdict(made)])
            yield made

    def _rows_kept(self, place: Mapping[str, Any], contender: Contender, protocol: Any) -> list[Row]:
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

    # ---- live ----

    def adapt(
        self,
        ref: str,
        support: bytes,
        query: bytes,
        *,
        steps: int | None = None,
        lr: float | None = None,
        device: str = "cpu",
        should_stop: ShouldStop = never,
    ) -> Iterator[LiveStep]:
        """Every step of adaptation to `support`, judged on `query`, from step 0 on. UTF-8; nothing is kept.

        steps, lr: None is what the run tuned. Raises RunStateError, ConfigError, and Stopped.
        """
        from metalm.evaluate.live import adapt_live

        loaded = self.load(ref, device=device)
        inner = _changed(loaded.inner, steps, lr)
        yield from adapt_live(
            loaded.model, loaded.weights, loaded.tokenizer, support, query, inner, should_stop=should_stop
        )

    def sample(
        self,
        ref: str,
        *,
        support: bytes = b"",
        prompt: bytes = b"",
        num_bytes: int = 200,
        temperature: float = 1.0,
        seed: int = 0,
        steps: int | None = None,
        weights: Weights | None = None,
        device: str = "cpu",
        should_stop: ShouldStop = never,
    ) -> Iterator[bytes]:
        """What the run writes after `support` and `prompt`, piece by piece; pieces may cut characters.

        weights: fast weights of `adapt`; without them the run adapts to `support` first, by `steps` (None: as
        tuned). Raises RunStateError, ConfigError, and Stopped.
        """
        from metalm.evaluate.sampling import sample
        from metalm.learn.inner import SupportSet, adapt

        loaded = self.load(ref, device=device)
        if weights is None:
            inner = _changed(loaded.inner, steps, None)
            place = loaded.weights["embedding.weight"].device
            windows = SupportSet.of_text(loaded.tokenizer, support, inner.window, place)
            weights = adapt(loaded.model, loaded.weights, windows, inner, should_stop=should_stop)
        yield from sample(
            loaded.model,
            weights,
            loaded.tokenizer,
            support=support,
            prompt=prompt,
            num_bytes=num_bytes,
            temperature=temperature,
            seed=seed,
            should_stop=should_stop,
        )

    def save_adaptation(
        self,
        ref: str,
        name: str,
        support: str,
        query: str,
        steps: Sequence[LiveStep],
        *,
        inner: InnerLoop | None = None,
        samples: Sequence[Sample] = (),
    ) -> AdaptationRecord:
        """Keeps a live adaptation with every character's nats after each step, and texts written beside it.

        inner: what it was made with; None is what the run tuned. `samples` belong to the record from now on.
        """
        run = self.run(ref)
        used = inner or self.load(run.id).inner
        kept = AdaptationRecord(
            run=run.id, name=name.strip() or run.name, support=support, query=query, adaptation=asdict(used)
        )
        owned = [replace(sample, run=run.id, adaptation_id=kept.id) for sample in samples]
        self.store.adaptations.add(kept, [_step(step) for step in steps], owned)
        return kept


def _adapting(loaded: Loaded) -> AdaptingGru:
    from metalm.evaluate.contenders import AdaptingGru

    return AdaptingGru(
        model=loaded.model,
        weights=loaded.weights,
        tokenizer=loaded.tokenizer,
        inner=loaded.inner,
        seed=loaded.run.seed,
    )


def _changed(inner: InnerLoop, steps: int | None, lr: float | None) -> InnerLoop:
    changes = {name: value for name, value in (("steps", steps), ("lr", lr)) if value is not None}
    return replace(inner, **changes)


def _step(live: LiveStep) -> AdaptationStep:
    score = live.score
    return AdaptationStep(
        step=live.step,
        nats=score.nats,
        tokens=score.tokens,
        bytes=score.bytes,
        chars=score.chars,
        seconds=live.seconds,
        char_nats=tuple(live.char_nats.tolist()),
    )
