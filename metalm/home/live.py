"""A trained run before somebody's eyes: adapted to a text, sampled from, and kept as a demo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from metalm.config import InnerLoop
from metalm.home.evaluating import Evaluating
from metalm.home.lineage import met
from metalm.learn.stopping import ShouldStop, never
from metalm.store.adaptations import AdaptationRecord, AdaptationStep, Sample
from metalm.store.values import new_id
from metalm.text.tasks import Task

if TYPE_CHECKING:
    from metalm.evaluate.guesses import Guesses
    from metalm.evaluate.live import LiveStep
    from metalm.evaluate.resemblance import Resemblance
    from metalm.home.loading import Loaded
    from metalm.learn.rules import Rule
    from metalm.model.fast_weights import Weights


class Live(Evaluating):
    """The part of a home that shows adaptation as it happens."""

    def has_seen(self, ref: str, task: Task) -> bool:
        """Whether a run or an ancestor was trained on a byte of a task's text. Raises NotFoundError."""
        return bool(met([task], self.hash_of, self.run(ref).seen))

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
        rule = _rule(loaded, support, steps, lr)
        yield from adapt_live(
            loaded.model, loaded.weights, loaded.tokenizer, support, query, rule, should_stop=should_stop
        )

    def guesses(
        self,
        ref: str,
        support: bytes,
        query: bytes,
        weights: Weights,
        *,
        device: str = "cpu",
        should_stop: ShouldStop = never,
    ) -> Guesses:
        """What a run with fast weights of `adapt` expects at each character of `query`. Raises Stopped."""
        from metalm.evaluate.guesses import guesses

        loaded = self.load(ref, device=device)
        return guesses(loaded.model, weights, loaded.tokenizer, support, query, should_stop=should_stop)

    def resembles(
        self,
        ref: str,
        support: bytes,
        query: bytes,
        *,
        on_progress: Callable[[float], None] | None = None,
        device: str = "cpu",
        should_stop: ShouldStop = never,
    ) -> Resemblance:
        """Which meta-train tasks of its split a text looks like to a run's experts. UTF-8; nothing is kept.

        on_progress: as for `experts`, which are made where there are none (see `has_experts`). Raises
        RunStateError, NotFoundError when a meta-train text is not in this home, and Stopped.
        """
        from metalm.evaluate.experts import ExpertMixture
        from metalm.evaluate.resemblance import MIXING, resemblance

        loaded = self.load(ref, device=device)
        split = self.split(loaded.run.split_id)
        contender = ExpertMixture(
            method="posterior pool",
            model=loaded.model,
            experts=self.experts(loaded, split, on_progress=on_progress, should_stop=should_stop),
            tokenizer=loaded.tokenizer,
            split_id=split.id,
            settings=MIXING,
            seed=loaded.run.seed,
        )
        return resemblance(contender, support, query, should_stop=should_stop)

    def sample(
        self,
        ref: str,
        *,
        support: bytes = b"",
        prompt: bytes = b"",
        num_bytes: int = 200,
        temperature: float = 1.0,
        top_p: float = 1.0,
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
        from metalm.model.engines import engine_for
        from metalm.model.task_weights import of_task, shared

        loaded = self.load(ref, device=device)
        if weights is None:
            rule = _rule(loaded, support, steps, None)
            place = loaded.weights["embedding.weight"].device
            windows = SupportSet.of_text(loaded.tokenizer, support, rule.inner.window, place)
            engine, slow = engine_for(loaded.model), shared(loaded.weights, 1)
            weights = of_task(adapt(engine, slow, [windows], rule, should_stop=should_stop), 0)
        yield from sample(
            loaded.model,
            weights,
            loaded.tokenizer,
            support=support,
            prompt=prompt,
            num_bytes=num_bytes,
            temperature=temperature,
            top_p=top_p,
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
        guesses: Mapping[int, Guesses] | None = None,
        record_id: str = "",
        asked_steps: int | None = None,
    ) -> AdaptationRecord:
        """Keeps a live adaptation with every character's nats after each step, and texts written beside it.

        inner: what it was made with; None is what the run tuned. `samples` belong to the record from now on.
        guesses: by step. record_id: the record's, where it was promised before ("" makes one). asked_steps:
        those that it should have taken, were it not stopped.
        """
        run = self.run(ref)
        used = inner or self.load(run.id).inner
        kept = AdaptationRecord(
            id=record_id or new_id(),
            run=run.id,
            name=name.strip() or run.name,
            support=support,
            query=query,
            adaptation=asdict(used) | ({} if asked_steps is None else {"asked_steps": asked_steps}),
        )
        owned = [replace(sample, run=run.id, adaptation_id=kept.id) for sample in samples]
        known = guesses or {}
        self.store.adaptations.add(kept, [_step(step, known.get(step.step)) for step in steps], owned)
        return kept


def _rule(loaded: Loaded, support: bytes, steps: int | None, lr: float | None) -> Rule:
    """As asked, else as tuned: for a support set of this size, or for so many steps."""
    rule = loaded.rule_at(len(support), steps)
    return rule if lr is None else rule.with_inner(lr=lr)


def _step(live: LiveStep, guesses: Guesses | None) -> AdaptationStep:
    score = live.score
    return AdaptationStep(
        step=live.step,
        nats=score.nats,
        tokens=score.tokens,
        bytes=score.bytes,
        chars=score.chars,
        seconds=live.seconds,
        char_nats=tuple(live.char_nats.tolist()),
        guesses=None if guesses is None else guesses.to_json(),
    )
