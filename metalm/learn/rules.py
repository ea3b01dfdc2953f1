"""The rule of adaptation of a run: the settings of its inner loop, and what its outer loop learned about it.

What is learned is a dictionary of tensors, `adaptation.safetensors` on disk:
  rate/<weight name>    (K, ...): the rate of adaptation step k is `inner.lr` times row k, broadcast to the
                        weight; steps beyond K take the last row. Rows start as ones.
  context               (E, C): how a context of C numbers, 0 before adaptation, moves every token's
                        embedding.
  fisher/<weight name>  the diagonal Fisher information at the slow weights, of mean 1 over all weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from torch import Tensor

from metalm.config import InnerLoop
from metalm.model.fast_weights import Weights

RATE, FISHER, CONTEXT = "rate/", "fisher/", "context"

# What the Fisher information says nothing about, the row of a byte that was never read say, is held a little.
LEAST_FISHER = 0.01


@dataclass(frozen=True)
class Rule:
    """How weights adapt. Without anything learned it is plain SGD at one rate for all."""

    inner: InnerLoop
    learned: Weights = field(default_factory=dict)

    def rate(self, name: str, step: int) -> Tensor | float:
        """The rate of a weight at adaptation step `step` (from 0), broadcast to the weight."""
        factors = self.learned.get(RATE + name)
        return self.inner.lr if factors is None else self.inner.lr * factors[min(step, len(factors) - 1)]

    def pull(self, name: str) -> Tensor | float:
        """How strongly a weight is pulled to the slow one, broadcast to it: lambda F."""
        importance = self.learned.get(FISHER + name)
        strength = self.inner.proximal
        return strength if importance is None else strength * importance.clamp(min=LEAST_FISHER)

    def adapting(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the weights' names that adaptation moves (`inner.adapts`)."""
        chosen = {
            "all": lambda _: True,
            "head": lambda name: not name.startswith("rnn.") and (name != "embedding.weight" or not has_head),
            "head+embedding": lambda name: not name.startswith("rnn."),
            "biases": lambda name: "bias" in name,
            "context": lambda _: False,
        }[self.inner.adapts]
        names = tuple(names)
        has_head = "linear.weight" in names  # a tied model's head is its embedding
        return tuple(name for name in names if chosen(name))

    def with_inner(self, **changes: object) -> Rule:
        """The same with some settings of the inner loop changed."""
        return replace(self, inner=replace(self.inner, **changes))
