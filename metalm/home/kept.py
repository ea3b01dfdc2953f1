"""What a training leaves on disk to be used: the weights of a run, and what it learned about adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalm.config import run_config
from metalm.errors import BundleError, NotFoundError
from metalm.home.runs import Runs
from metalm.store.runs import Run

if TYPE_CHECKING:
    from metalm.learn.outer import Training
    from metalm.model.fast_weights import Weights
    from metalm.model.gru import GRULM


class Kept(Runs):
    """The part of a home that writes both files and reads them; they are always of the same outer step."""

    def keep(self, run: Run, training: Training) -> None:
        """Writes what a training leaves, in place of what it left before."""
        from metalm.learn.rule_files import save_learned
        from metalm.model.weight_files import save_weights

        weights, learned, step = judged(training)
        save_learned(self.learned_path(run.id), learned, step=step)
        save_weights(self.weights_path(run.id), weights, step=step)

    def start_of(self, run: Run) -> dict[str, Weights]:
        """What a warm start begins with: its parent's weights, and what that learned about adaptation."""
        from metalm.model.gru import GRULM
        from metalm.model.weight_files import load_weights

        if run.parent is None:
            return {}
        if not self.weights_path(run.parent).exists():
            raise NotFoundError(f"no run {run.parent!r} in the home, from whose weights {run.name!r} starts")
        parent = self.store.runs.get(run.parent)
        vocab_size = self.store.tokenizers.get(parent.tokenizer).vocab_size
        model = GRULM(run_config(parent.config).model, vocab_size)
        return {
            "initial_weights": load_weights(self.weights_path(parent.id)),
            "initial_learned": self.learned(parent, model),
        }

    def learned(self, run: Run, model: GRULM) -> Weights:
        """What a run learned about adaptation, as it stands in its folder; {} for most.

        Raises BundleError when its file is missing or damaged, or of another step than the weights are.
        """
        from metalm.learn.rule_files import load_learned
        from metalm.model.weight_files import step_of

        path, source = self.learned_path(run.id), f"run {run.name!r}"
        found = load_learned(path, run_config(run.config), model, source)
        if found and (step := step_of(path)) != (expected := step_of(self.weights_path(run.id))):
            raise BundleError(
                f"{path.name} of {source} must be of outer step {expected}, as its weights are, got {step}"
            )
        return found


def judged(training: Training) -> tuple[Weights, Weights, int]:
    """What a run leaves: its weights, what it learned beside them, and their step. The best where any are."""
    if training.best_weights is None:
        return training.weights, training.learned, training.state.step
    return training.best_weights, training.best_learned, training.state.best_step
