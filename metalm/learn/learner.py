"""What an outer step changes: the slow weights and the optimiser that moves them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from metalm.config import Algorithm, InnerLoop
from metalm.errors import ConfigError
from metalm.learn.inner import adapt
from metalm.learn.optimizers import optimizer_of, step_size
from metalm.learn.watch import Watch
from metalm.learn.windows import Episode
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM

_OPTIMIZER = "optimizer/"
_DROPOUT = 1  # tells the draws of dropout from those of the meta-batch, of the same seed and step


class Learner:
    """A model whose own parameters are the slow weights, and the state of their optimiser.

    progress: the share of the budget used before the step under way. dropout: the generator of that step's
    dropout masks, None when the model drops nothing.
    """

    def __init__(self, model: GRULM, algorithm: Algorithm) -> None:
        self.model = model
        self.weights: Weights = dict(model.named_parameters())
        self.progress = 0.0
        self.dropout: torch.Generator | None = None
        # Reptile moves the weights itself.
        self._config = getattr(algorithm, "optimizer", None)
        self._optimizer = optimizer_of(self._config, self.weights.values()) if self._config else None

    @property
    def device(self) -> torch.device:
        return next(iter(self.weights.values())).device

    def begin(self, step: int, progress: float, seed: int) -> None:
        """Get ready for outer step `step`: its step size, and dropout masks that follow from (seed, step)."""
        self.progress = progress
        if self._config is not None:
            for group in self._optimizer.param_groups:
                group["lr"] = step_size(self._config, step, progress)
        if self.model.config.dropout > 0:
            number = np.random.default_rng([seed, step, _DROPOUT]).integers(2**63)
            self.dropout = torch.Generator(self.device).manual_seed(int(number))

    def adapted(self, task: Episode, inner: InnerLoop, watch: Watch) -> Weights:
        """The fast weights of one episode; its support losses are seen on the way. Raises Stopped."""
        on_step = watch.adapting(task)
        return adapt(self.model, self.weights, task.support, inner, on_step=on_step, generator=self.dropout)

    def descend(self, gradient: Weights, watch: Watch) -> None:
        """Move the slow weights one optimiser step down `gradient`, clipped where the config says so.

        Raises DivergedError, before anything is moved, when the gradient is not finite.
        """
        norm = float(torch.nn.utils.get_total_norm(gradient.values()))
        watch.measured("gradient_norm", norm)
        watch.measured("lr", self._optimizer.param_groups[0]["lr"])
        clip = getattr(self._config, "clip", 0.0)  # plain Adam has none
        for name, weight in self.weights.items():
            weight.grad = gradient[name] * (clip / norm) if 0 < clip < norm else gradient[name]
        self._optimizer.step()
        self._optimizer.zero_grad()

    @torch.no_grad()
    def move(self, way: Weights, share: float) -> None:
        """Move the slow weights by `share` of `way`."""
        for name, weight in self.weights.items():
            weight.add_(way[name], alpha=share)

    @contextmanager
    def undone_unless_completed(self) -> Iterator[None]:
        """What the body does to weights and optimiser is undone when it raises."""
        tensors = {name: tensor.clone() for name, tensor in self.tensors().items()}
        completed = False
        try:
            yield
            completed = True
        finally:
            if not completed:
                self.restore(tensors)

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name, optimiser state as `optimizer/<weight>/<what>`, in the learner's own memory."""
        tensors = {name: weight.detach() for name, weight in self.weights.items()}
        names = list(self.weights)
        if self._optimizer is not None:
            # Numbered as the weights are; empty before the first step.
            for number, state in self._optimizer.state_dict()["state"].items():
                for what, value in state.items():
                    tensors[f"{_OPTIMIZER}{names[number]}/{what}"] = value
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go back to what `tensors()` gave. ConfigError when a weight is missing or has another shape."""
        for name, weight in self.weights.items():
            if name not in tensors or tensors[name].shape != weight.shape:
                raise ConfigError(f"the checkpoint must hold {name} of shape {tuple(weight.shape)}")
            with torch.no_grad():
                weight.copy_(tensors[name])
        if self._optimizer is not None:
            groups = self._optimizer.state_dict()["param_groups"]
            self._optimizer.load_state_dict({"state": self._state_of(tensors), "param_groups": groups})

    def _state_of(self, tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        """The optimiser's own form: its weights by number."""
        state: dict[int, dict[str, Tensor]] = {}
        numbers = {name: number for number, name in enumerate(self.weights)}
        for key, value in tensors.items():
            if key.startswith(_OPTIMIZER):
                name, what = key.removeprefix(_OPTIMIZER).rsplit("/", 1)
                state.setdefault(numbers[name], {})[what] = value
        return state
