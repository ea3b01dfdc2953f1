"""The equal-compute control: a joint run from the same start as a meta-trained one, for as much compute.

Compute is counted in token-gradient evaluations, Hessian products included: whatever meta-training took, its
twin reads as many tokens. Without this control no gain of meta-training means anything. A twin bears no mark:
it is known by what it is, so that one that was made by hand is one too.
"""

from __future__ import annotations

from dataclasses import replace

from metalm.config import Budget, Joint, RunConfig, run_config
from metalm.errors import RunStateError
from metalm.home.training import Trainings
from metalm.store.runs import Run

# Of a twin's compute: a run ends with a whole outer step.
_TOLERANCE = 0.05


class Twins(Trainings):
    """The part of a home that makes controls."""

    def gradient_evaluations(self, run: Run) -> int:
        """Token-gradient evaluations that a run's training took, its ancestors' not counted; 0 before it."""
        last = self.store.metrics.last([run.id], ["gradient_evaluations"])
        return int(last["value"].iloc[0]) if len(last) else 0

    def create_twin(self, ref: str, *, name: str = "") -> Run:
        """The twin of a finished run, queued. It trains as the joint run did that `ref` started from, if any.

        Raises RunStateError when the run is not finished or is itself joint.
        """
        run = self.run(ref)
        if run.status != "finished":
            raise RunStateError(f"run {run.name!r} must be finished to have a twin, it is {run.status}")
        if run.algorithm == Joint.name:
            raise RunStateError(f"run {run.name!r} must not be joint to have a joint twin, got 'joint'")
        config, like = self._twin_config(run)
        return self.create_run(
            config, run.split_id, name=name or f"{run.name} twin", notes=f"{like} for as much compute"
        )

    def _twin_config(self, run: Run) -> tuple[RunConfig, str]:
        """The twin's settings, and in words what it is."""
        config, parent = run_config(run.config), self.parent_of(run)
        theirs = run_config(parent.config) if parent is not None and parent.algorithm == Joint.name else None
        twin = replace(
            config,
            algorithm=theirs.algorithm if theirs else Joint(),
            drawing=theirs.drawing if theirs else config.drawing,
            model=replace(config.model, dropout=theirs.model.dropout if theirs else config.model.dropout),
            budget=Budget(unit="tokens", amount=float(self.gradient_evaluations(run))),
            init=run.parent,
        )
        return twin, "joint training continued" if parent else "joint training"

    def twin_of(self, run: Run) -> Run | None:
        """The newest finished joint run from the same start, with the same seed, for as much compute."""
        wanted = self.gradient_evaluations(run)
        return next((other for other in self.runs(archived=True) if self.is_twin(run, other, wanted)), None)

    def is_twin(self, run: Run, other: Run, wanted: int) -> bool:
        """Whether `other` is a twin of `run`, which took `wanted` gradient evaluations."""
        if other.algorithm != Joint.name or other.status != "finished" or run.algorithm == Joint.name:
            return False
        if (other.split_id, other.parent) != (run.split_id, run.parent):
            return False
        mine, theirs = run_config(run.config), run_config(other.config)
        networks = {replace(config.model, dropout=0.0) for config in (mine, theirs)}
        same = len(networks) == 1 and (mine.tokenizer, mine.seed) == (theirs.tokenizer, theirs.seed)
        return same and abs(self.gradient_evaluations(other) - wanted) <= _TOLERANCE * wanted
