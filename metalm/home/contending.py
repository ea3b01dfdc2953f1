"""Which methods a run is judged beside, made ready: its own adaptation, other ways, controls, baselines.

What is tuned for one is tuned on meta-validation once and kept with the run: see `metalm.store.tunings`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from metalm.config import GROUPS, run_config
from metalm.home.coding import Coding
from metalm.home.loading import Loaded
from metalm.home.tunings import Asked, Entry, adapting
from metalm.store.runs import Run

if TYPE_CHECKING:
    from metalm.evaluate.contenders import Contender, Method


class Contending(Coding):
    """The part of a home that makes contenders."""

    def entries(self, methods: Sequence[Method], asked: Asked) -> list[Entry]:
        """The methods that there are for this run; each is made when it is its turn."""
        makers: dict[str, Callable[[Method, Asked], Entry | None]] = {
            "adapt": self._own,
            **dict.fromkeys(GROUPS["ways"], self._way),
            **dict.fromkeys(GROUPS["baselines"], self._baseline),
            **dict.fromkeys(GROUPS["formula"], self._formula),
            **dict.fromkeys(GROUPS["online"], self.online),
        }
        found = [makers[method](method, asked) for method in methods]
        return [entry for entry in found if entry is not None]

    def _own(self, _method: Method, asked: Asked) -> Entry:
        own = adapting(asked.loaded, ends=asked.ends)
        if asked.steps is not None:
            own = replace(own, rule=asked.loaded.rule_for(asked.steps), lengths={})
        return Entry(asked.loaded, lambda: own)

    def _way(self, method: Method, asked: Asked) -> Entry | None:
        from metalm.evaluate.ways import by_way, tuned_way, ways_of
        from metalm.learn.tuning import Adaptation

        own = adapting(asked.loaded, ends=asked.ends)
        if method not in ways_of(own.rule):
            return None

        def make() -> Contender:
            def tune() -> dict[str, Any]:
                return tuned_way(method, own, texts(), should_stop=asked.should_stop).to_json()

            texts = partial(self.validation, asked)
            return by_way(method, own, Adaptation.from_json(self.tuned(method, asked, tune)))

        return Entry(asked.loaded, make)

    def _baseline(self, method: Method, asked: Asked) -> Entry | None:
        from metalm.evaluate import baselines as known

        counting = {"uniform": known.UNIFORM, "unigram": known.UNIGRAM, "n-gram": known.NGRAM}
        if method in counting:
            return Entry(None, lambda: counting[method])
        if method == "scratch":
            return Entry(asked.loaded, partial(self._scratch, asked))
        if method == "joint continued":
            twin = self.twin_of(asked.loaded.run)
            owner = twin and self._beside(twin, asked)
        else:
            owner = self._joint(asked)
            is_itself = owner is not None and owner.run.id == asked.loaded.run.id
            if method == "joint fine-tuning" and is_itself:  # fine-tuned it is the run itself
                return None
        if owner is None:
            return None
        as_asked = {
            "joint zero-shot": known.joint_zero_shot,
            "joint fine-tuning": known.joint_fine_tuning,
            "joint continued": known.joint_continued,
        }
        return Entry(owner, lambda: as_asked[method](adapting(owner, ends=asked.ends)))

    def _scratch(self, asked: Asked) -> Contender:
        from metalm.evaluate import baselines as known
        from metalm.learn.tuning import Adaptation

        loaded = asked.loaded
        config, device = run_config(loaded.run.config), loaded.weights["embedding.weight"].device
        own = known.from_scratch(config.model, loaded.tokenizer, seed=loaded.run.seed, device=device)

        def tune() -> dict[str, Any]:
            validation = self.validation(asked)
            return known.tuned_scratch(own, validation, should_stop=asked.should_stop).to_json()

        found = Adaptation.from_json(self.tuned("scratch", asked, tune))
        rule = replace(own.rule, inner=found.inner)
        return replace(own, rule=rule, lengths=found.lengths, ends=asked.ends)

    def _formula(self, method: Method, asked: Asked) -> Entry:
        return Entry(asked.loaded, partial(self._mixture, method, asked))

    def _mixture(self, method: Method, asked: Asked) -> Contender:
        from metalm.evaluate.experts import ExpertMixture, Mixing, tuned_posterior_pool

        loaded = asked.loaded
        own = ExpertMixture(
            method=method,
            model=loaded.model,
            experts=self.experts(loaded, asked.split, should_stop=asked.should_stop),
            tokenizer=loaded.tokenizer,
            split_id=asked.split.id,
            # Updated by every token the weights settle on one component: of samples, on a single one.
            settings=Mixing(samples=0) if method == "bayes" else Mixing(),
            seed=loaded.run.seed,
        )
        if method != "posterior pool":
            return own

        def tune() -> dict[str, Any]:
            validation = self.validation(asked)
            return asdict(tuned_posterior_pool(own, validation, should_stop=asked.should_stop))

        found = self.tuned(method, asked, tune)
        return replace(own, settings=Mixing(**found["settings"]))

    def _joint(self, asked: Asked) -> Loaded | None:
        """The run itself or its nearest ancestor that is a joint run and is still here."""
        run: Run | None = asked.loaded.run
        while run is not None and run.algorithm != "joint":
            run = self.parent_of(run)
        if run is None or run.id == asked.loaded.run.id:
            return asked.loaded if run else None
        return self._beside(run, asked)

    def _beside(self, run: Run, asked: Asked) -> Loaded:
        """Another run, on the same device."""
        return self.load(run.id, device=asked.loaded.weights["embedding.weight"].device.type)
