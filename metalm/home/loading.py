"""A trained run ready to use: its model with its best weights, its tokenizer, and how it adapts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from metalm.config import InnerLoop, length_for, run_config
from metalm.errors import RunStateError
from metalm.home.twins import Twins
from metalm.store.runs import Run
from metalm.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from metalm.learn.rules import Rule
    from metalm.learn.tuning import Adaptation
    from metalm.model.fast_weights import Weights
    from metalm.model.gru import GRULM


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A run's weights, ready to use by one thread. rule: how the run adapts, as tuned where it was.

    checkpoint_step: the outer step that the weights are of. While a run goes on it is not that of the best
    so far, whose weights are written when training ends.
    """

    run: Run
    model: GRULM
    weights: Weights
    tokenizer: Tokenizer
    rule: Rule
    checkpoint_step: int

    @property
    def inner(self) -> InnerLoop:
        """The settings of its rule."""
        return self.rule.inner

    @property
    def tuned(self) -> Adaptation:
        """What tuning found for it; its own settings alone where it was not tuned."""
        from metalm.learn.tuning import Adaptation

        return (
            Adaptation.from_json(self.run.adaptation) if self.run.adaptation else Adaptation(inner=self.inner)
        )

    @property
    def lengths(self) -> dict[int, int]:
        """Support bytes -> how many steps were best for as many; {} where that was not tuned."""
        return self.tuned.lengths

    def rule_at(self, support_bytes: int, steps: int | None) -> Rule:
        """Its rule as tuned for a support set of this size, or for so many steps where some are asked."""
        if steps is not None:
            return self.rule_for(steps)
        return self.rule.with_inner(steps=length_for(support_bytes, self.lengths, self.inner.steps))

    def rule_for(self, steps: int) -> Rule:
        """Its rule with so many steps, at the rate that was tuned for as many, if one was."""
        return replace(self.rule, inner=self.tuned.inner_for(steps))


class Loading(Twins):
    """The part of a home that loads runs."""

    def load(self, ref: str, *, device: str = "cpu") -> Loaded:
        """A run's model with its best weights, freshly loaded: a model object must not be shared by threads.

        Raises RunStateError when the run has no weights yet, BundleError when what it learned about
        adaptation is lost or does not belong to them.
        """
        run = self.run(ref)
        # What has no weights may have no tokenizer either.
        tokenizer = self.store.tokenizers.get(run.tokenizer) if self.weights_path(run.id).exists() else None
        return self.made_ready(run, tokenizer, device=device)

    def made_ready(self, run: Run, tokenizer: Tokenizer | None, *, device: str) -> Loaded:
        """A run of this home made ready with its tokenizer, from its folder: the store is not asked.

        Raises as `load`.
        """
        from metalm.learn.rules import Rule
        from metalm.learn.tuning import Adaptation
        from metalm.model.device import pick_device
        from metalm.model.fast_weights import slow_weights
        from metalm.model.gru import new_model
        from metalm.model.weight_files import load_weights, model_with

        if tokenizer is None or not self.weights_path(run.id).exists():
            raise RunStateError(f"run {run.name!r} must have been trained to be used, it is {run.status}")
        config = run_config(run.config)
        model = model_with(
            new_model(config.model, tokenizer.vocab_size, config.seed),
            load_weights(self.weights_path(run.id)),
            f"run {run.name!r}",
        ).to(pick_device(device))
        inner = Adaptation.from_json(run.adaptation).inner if run.adaptation else config.adaptation
        return Loaded(
            run=run,
            model=model,
            weights=slow_weights(model),
            tokenizer=tokenizer,
            rule=Rule(inner, self.learned(run, model)),
            checkpoint_step=self.checkpoint_step(run),
        )

    def checkpoint_step(self, run: Run) -> int:
        """The outer step that a run's weights are of; see `Loaded`."""
        from metalm.model.weight_files import step_of

        path = self.weights_path(run.id)
        step = step_of(path) if path.exists() else None
        if step is None:
            step = run.step if run.best_step is None else run.best_step
        return step


def load_beside(home_dir: Path, run: Run, tokenizer: Tokenizer | None, *, device: str = "cpu") -> Loaded:
    """`Loading.load` for a process that does not own the home; its owner told of run and tokenizer."""
    return Loading(home_dir, store=None).made_ready(run, tokenizer, device=device)
