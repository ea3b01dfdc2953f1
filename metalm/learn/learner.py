"""What an outer step changes: the slow weights, what is learned beside them, and their optimiser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from metalm.config import Algorithm, InnerLoop
from metalm.errors import ConfigError
from metalm.learn.optimizers import optimizer_of, step_size
from metalm.learn.rules import FISHER, Rule
from metalm.learn.watch import Watch
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import TaskWeights, shared

LEARNED = "learned/"
_OPTIMIZER = "optimizer/"
_DROPOUT = 1  # tells the draws of dropout from those of the meta-batch, of the same seed and step


class Learner:
    """A model whose own parameters are the slow weights; what is learned beside them; their optimiser.

    learned: as in `metalm.learn.rules`; the optimiser moves it like the weights, but for the Fisher
    information, which is observed. progress: the share of the budget used before the step under way.
    """

    def __init__(self, model: GRULM, algorithm: Algorithm, learned: Weights | None = None) -> None:
        self.model = model
        self.engine = engine_for(model)
        self.weights: Weights = dict(model.named_parameters())
        self.learned: Weights = dict(learned or {})
        self.progress = 0.0
        self._dropout_seed: tuple[int, ...] | None = None
        # Reptile moves the weights itself.
        self._config = getattr(algorithm, "optimizer", None)
        descended = {n: tensor for n, tensor in self.learned.items() if not n.startswith(FISHER)}
        self._moved: Weights = {**self.weights, **descended}
        self._optimizer = None
        if self._config is not None:
            self._optimizer = optimizer_of(self._config, self.weights.values(), descended.values())

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
            self._dropout_seed = (seed, step, _DROPOUT)

    def dropout_seeds(self, first: int, num_tasks: int, call: int) -> list[int] | None:
        """What the dropout masks of some tasks follow from; None when nothing is dropped.

        first: the number of the first of them among the tasks of the outer step; call: which of the engine's
        calls with them it is. So they do not depend on how many tasks are side by side.
        """
        if self._dropout_seed is None:
            return None
        sequences = (np.random.SeedSequence([*self._dropout_seed, first + t, call]) for t in range(num_tasks))
        return [int(sequence.generate_state(1, np.uint64)[0] >> 1) for sequence in sequences]

    def slow(self, num_tasks: int) -> TaskWeights:
        """The slow weights, of so many tasks."""
        return shared(self.weights, num_tasks)

    def rule(self, inner: InnerLoop) -> Rule:
        """How the run adapts as things stand."""
        return Rule(inner, {name: tensor.detach() for name, tensor in self.learned.items()})

    def descend(self, gradient: Mapping[str, Tensor], watch: Watch) -> None:
        """Move weights and what is learned one optimiser step down `gradient`, clipped as the config says.

        A name that `gradient` lacks stays. Raises DivergedError, before anything is moved, when a loss that
        was seen or the gradient is not finite.
        """
        watch.settle()
        norm = float(torch.nn.utils.get_total_norm(gradient.values()))
        watch.measured("gradient_norm", norm)
        watch.measured("lr", self._optimizer.param_groups[0]["lr"])
        clip = getattr(self._config, "clip", 0.0)  # plain Adam has none
        for name, part in gradient.items():
            self._moved[name].grad = part * (clip / norm) if 0 < clip < norm else part
        self._optimizer.step()
        self._optimizer.zero_grad()

    @torch.no_grad()
    def move(self, way: Weights, share: float, watch: Watch) -> None:
        """Move the slow weights by `share` of `way`.

        Raises DivergedError, before anything is moved, when a loss that was seen or the way is not finite.
        """
        watch.settle()
        watch.measured("way", float(torch.nn.utils.get_total_norm(way.values())))
        for name, part in way.items():
            self.weights[name].add_(part, alpha=share)

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

    def values(self) -> dict[str, Tensor]:
        """Weights by name and what is learned as `learned/<name>`, in the learner's own memory."""
        named = {**self.weights, **self.learned}
        return {self._key(name): tensor.detach() for name, tensor in named.items()}

    def start_from(self, weights: Weights, learned: Weights) -> None:
        """Take over weights, and what was learned elsewhere where it is learned here in the same shape."""
        known = {n: t for n, t in learned.items() if n in self.learned and t.shape == self.learned[n].shape}
        self.restore({**self.tensors(), **weights, **{LEARNED + n: t for n, t in known.items()}})

    def tensors(self) -> dict[str, Tensor]:
        """`values`, and the optimiser's state as `optimizer/<name there>/<what>`."""
        tensors = self.values()
        names = [self._key(name) for name in self._moved]
        if self._optimizer is not None:
            # Numbered as the weights are; empty before the first step.
            for number, state in self._optimizer.state_dict()["state"].items():
                for what, value in state.items():
                    tensors[f"{_OPTIMIZER}{names[number]}/{what}"] = value
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `tensors()` gave. ConfigError when a tensor is missing or has another shape."""
        for name, tensor in self.values().items():
            if name not in tensors or tensors[name].shape != tensor.shape:
                raise ConfigError(f"the checkpoint must hold {name} of shape {tuple(tensor.shape)}")
            tensor.copy_(tensors[name])
        if self._optimizer is not None:
            groups = self._optimizer.state_dict()["param_groups"]
            self._optimizer.load_state_dict({"state": self._state_of(tensors), "param_groups": groups})

    def _key(self, name: str) -> str:
        return name if name in self.weights else LEARNED + name

    def _state_of(self, tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        """The optimiser's own form: its weights by number."""
        state: dict[int, dict[str, Tensor]] = {}
        numbers = {self._key(name): number for number, name in enumerate(self._moved)}
        for key, value in tensors.items():
            if key.startswith(_OPTIMIZER):
                name, what = key.removeprefix(_OPTIMIZER).rsplit("/", 1)
                state.setdefault(numbers[name], {})[what] = value
        return state
