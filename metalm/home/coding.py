"""The methods of the online track, made ready: GRUs that learn while they code, and compressors."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from metalm.home.tunings import Asked, Entry, Tunings

if TYPE_CHECKING:
    from metalm.evaluate.contenders import Contender, Method


class Coding(Tunings):
    """The part of a home that makes contenders of the online track."""

    def online(self, method: Method, asked: Asked) -> Entry | None:
        """A method of the online track; none mixes with a cache of bytes where tokens are none."""
        from metalm.evaluate import baselines as known

        compressors = {
            "PPMd": lambda: known.PPMD,
            "PPMd primed": partial(self._primed, asked),
            "xz": lambda: known.XZ,
        }
        if method in compressors:
            return Entry(None, compressors[method])
        if method == "dynamic evaluation":
            return Entry(asked.loaded, partial(self._dynamic, asked))
        if asked.loaded.tokenizer.kind != "bytes":
            return None
        return Entry(asked.loaded, partial(self._cached, method, asked))

    def _primed(self, asked: Asked) -> Contender:
        from metalm.evaluate.baselines import primed_ppmd

        texts = self.texts(asked.split.id, "meta-train")
        return primed_ppmd([text.read(0, text.cut.train_end) for text in texts], asked.split.id)

    def _cached(self, method: Method, asked: Asked) -> Contender:
        from metalm.evaluate.cached import CachedGru, as_tuned, tuned_cached
        from metalm.evaluate.dynamic import Dynamic

        own = CachedGru(
            **_of(asked), rule=asked.loaded.rule, dynamic=Dynamic(lr=0.0) if method == "cache" else Dynamic()
        )

        def tune() -> dict[str, Any]:
            return tuned_cached(own, self.validation(asked), should_stop=asked.should_stop).to_json()

        return as_tuned(own, self.tuned(method, asked, tune))

    def _dynamic(self, asked: Asked) -> Contender:
        from metalm.evaluate.dynamic import Dynamic, DynamicGru, tuned_dynamic

        own = DynamicGru(**_of(asked))

        def tune() -> dict[str, Any]:
            tuned = tuned_dynamic(own, self.validation(asked), should_stop=asked.should_stop)
            return {"settings": asdict(tuned.settings)}

        found = self.tuned("dynamic evaluation", asked, tune)
        return replace(own, settings=Dynamic(**found["settings"]))


def _of(asked: Asked) -> dict[str, Any]:
    """What every contender is told of a run."""
    loaded = asked.loaded
    return {
        "model": loaded.model,
        "weights": loaded.weights,
        "tokenizer": loaded.tokenizer,
        "seed": loaded.run.seed,
    }
