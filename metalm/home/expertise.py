"""The experts of a run: the posteriors of its split's meta-train tasks, made once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from metalm.home.loading import Loaded, Loading
from metalm.learn.stopping import ShouldStop, never
from metalm.text.splits import Split

if TYPE_CHECKING:
    from metalm.learn.posterior import Experts


class Expertise(Loading):
    """The part of a home that has experts."""

    def experts(self, loaded: Loaded, split: Split, *, should_stop: ShouldStop = never) -> Experts:
        """The experts around a run's weights, of the meta-train tasks of a split.

        They are a file of the run, as large as half as many copies again of its weights as there are tasks.
        Raises Stopped, SplitError without a task, NotFoundError when a text is not in this home.
        """
        from metalm.learn.expert_files import load_experts, save_experts

        path = self._experts_path(loaded, split)
        if not path.exists():
            made = self._new_experts(loaded, split, should_stop)
            path.parent.mkdir(exist_ok=True)
            for old in path.parent.glob(f"{split.id}-*.safetensors"):  # of other weights of the run
                old.unlink()
            save_experts(path, made)
        return load_experts(path, loaded.model, f"run {loaded.run.name!r}")

    def _new_experts(self, loaded: Loaded, split: Split, should_stop: ShouldStop) -> Experts:
        from metalm.learn.meta_batches import opened
        from metalm.learn.posterior import experts_of

        device = loaded.weights["embedding.weight"].device
        tasks = [
            opened(text, loaded.tokenizer, self.tokens_dir, device, should_stop)
            for text in self.texts(split.id, "meta-train")
        ]
        return experts_of(loaded.model, loaded.weights, tasks, seed=loaded.run.seed, should_stop=should_stop)

    def _experts_path(self, loaded: Loaded, split: Split) -> Path:
        return self.experts_dir(loaded.run.id) / f"{split.id}-{loaded.checkpoint_step}.safetensors"
