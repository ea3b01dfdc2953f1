"""What a run would cost, measured before there is one: see `metalm.learn.calibration`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from metalm.config import RunConfig
from metalm.home.training import Trainings
from metalm.learn.estimates import Estimate
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.store.runs import Run
from metalm.text import tokenizers
from metalm.text.tokenizers import Tokenizer


class Estimating(Trainings):
    """The part of a home that measures what training would take."""

    def estimate(
        self,
        config: RunConfig,
        split_ref: str,
        should_stop: ShouldStop = never,
        *,
        on_progress: Callable[[float], None] = lambda _share: None,
    ) -> Estimate:
        """Trains a few outer steps of a run that is never stored. Seconds, once the tokens are there.

        Raises what `create_run` raises, what its training would raise in its first steps, and Stopped.
        """
        from metalm.learn.calibration import calibrate
        from metalm.model.device import pick_device

        run = self.planned_run(config, split_ref)
        texts = self.texts(run.split_id, "meta-train"), self._validation_texts(run)
        return calibrate(
            config,
            *texts,
            self._planned_tokenizer(run, config, should_stop),
            self.tokens_dir,
            pick_device(config.device),
            **self.start_of(run),
            on_progress=on_progress,
            should_stop=should_stop,
        )

    def _planned_tokenizer(self, run: Run, config: RunConfig, should_stop: ShouldStop) -> Tokenizer:
        """That of the run to start from, else one fitted as training would do it, and not stored."""
        if run.tokenizer:
            return self.store.tokenizers.get(run.tokenizer)
        texts = self.texts(run.split_id, "meta-train")
        return tokenizers.fit(config.tokenizer, texts, on_wait=partial(stop_if, should_stop))
