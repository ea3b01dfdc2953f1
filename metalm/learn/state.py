"""How far a run is: all that a checkpoint holds beside tensors and config."""

from __future__ import annotations

from dataclasses import dataclass

from metalm.config import Budget
from metalm.learn.watch import Watch
from metalm.model.flops import GRADIENTS_PER_HESSIAN_PRODUCT, flops
from metalm.model.gru import GRULM


@dataclass
class State:
    """The outer steps made and what they took. Seconds include meta-validation, the other counts do not."""

    step: int = 0
    tokens: int = 0
    gradient_evaluations: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    owes_validation: bool = False  # a meta-validation is due at this step and not yet made
    best_step: int | None = None
    best_value: float | None = None  # bits per byte after adaptation, the mean over meta-validation tasks

    def progress(self, budget: Budget) -> float:
        """The share of the budget that is used, 0 to 1."""
        used = {"steps": self.step, "tokens": self.tokens, "minutes": self.seconds / 60}[budget.unit]
        return min(1.0, used / budget.amount)

    def count(self, watch: Watch, model: GRULM) -> None:
        """Take in an outer step that was made."""
        self.step = watch.step
        self.tokens += watch.tokens
        self.gradient_evaluations += watch.tokens + GRADIENTS_PER_HESSIAN_PRODUCT * watch.hessian_tokens
        self.flops += flops(
            model, scored=watch.scored, gradients=watch.tokens, hessian_products=watch.hessian_tokens
        )

    def take_best(self, value: float) -> bool:
        """Whether a meta-validation of this value is the best so far, which is kept then."""
        if not (value < (float("inf") if self.best_value is None else self.best_value)):
            return False  # NaN is never the best
        self.best_step, self.best_value = self.step, value
        return True
