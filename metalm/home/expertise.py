"""The experts of a run: the posteriors of its split's meta-train tasks, made once and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from metalm.home.loading import Loaded, Loading
from metalm.learn.stopping import ShouldStop, never
from metalm.text.splits import Split

if TYPE_CHECKING:
    from metalm.learn.posterior import Experts


class Expertise(Loading):
    """The part of a home that has experts."""

    def experts(
        self,
        loaded: Loaded,
        split: Split,
        *,
        on_progress: Callable[[float], None] | None = None,
        should_stop: ShouldStop = never,
    ) -> Experts:
        """The experts around a run's weights, of the meta-train tasks of a split.

        They are a file of the run, as large as half as many copies again of its weights as there are tasks.
        on_progress hears the share made, 0 to 1, where they must be made first. Raises Stopped, SplitError
        without a task, NotFoundError when a text is not in this home.
        """
        from metalm.learn.expert_files import load_experts, save_experts

        path = self._experts_path(loaded.run.id, split, loaded.checkpoint_step)
        if not path.exists():
            made = self._new_experts(loaded, split, on_progress, should_stop)
            path.parent.mkdir(exist_ok=True)
            for old in path.parent.glob(f"{split.id}-*.safetensors"):  # of other weights of the run
                old.unlink()
            save_experts(path, made)
        return load_experts(path, loaded.model, f"run {loaded.run.name!r}")

    def has_experts(self, ref: str) -> bool:
        """Whether `experts` of a run's own split are there, or are still to be made. Raises NotFoundError."""
        run = self.run(ref)
        split = self.split(run.split_id)
        return self._experts_path(run.id, split, self.checkpoint_step(run)).exists()

    def expert_tokens(self, ref: str) -> int:
        """How many tokens are read, at most, to make the experts of a run's own split. NotFoundError."""
        from metalm.learn.posterior import Posterior

        made = Posterior()
        tasks = self.split(self.run(ref).split_id).of_role("meta-train")
        return len(tasks) * made.window * (made.steps * made.batch + made.fisher_windows)

    def _new_experts(
        self,
        loaded: Loaded,
        split: Split,
        on_progress: Callable[[float], None] | None,
        should_stop: ShouldStop,
    ) -> Experts:
        from metalm.learn.meta_batches import opened
        from metalm.learn.posterior import experts_of

        device = loaded.weights["embedding.weight"].device
        tasks = [
            opened(text, loaded.tokenizer, self.tokens_dir, device, should_stop)
            for text in self.texts(split.id, "meta-train")
        ]
        return experts_of(
            loaded.model,
            loaded.weights,
            tasks,
            seed=loaded.run.seed,
            on_progress=on_progress,
            should_stop=should_stop,
        )

    def _experts_path(self, run_id: str, split: Split, checkpoint_step: int) -> Path:
        return self.experts_dir(run_id) / f"{split.id}-{checkpoint_step}.safetensors"
