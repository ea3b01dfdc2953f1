"""What is tuned for a run beside its own adaptation: on meta-validation, once, and kept with the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metalm.home.expertise import Expertise
from metalm.home.loading import Loaded
from metalm.learn.stopping import ShouldStop
from metalm.text.splits import Split
from metalm.text.tasks import TaskText

if TYPE_CHECKING:
    from metalm.evaluate.contenders import AdaptingGru, Contender, Method


@dataclass(frozen=True)
class Entry:
    """A method on its way to be judged. owner: whose weights it uses; None for nobody's.

    make: its contender, tuned first where it must be. Raises Stopped.
    """

    owner: Loaded | None
    make: Callable[[], Contender]


@dataclass(frozen=True)
class Asked:
    """What a run's methods are made for.

    steps: of its own adaptation, at the rate that was the best for as many, where tuning tried them; None: as
    tuned. ends: whatever adapts is judged before and after, not along the way.
    """

    loaded: Loaded
    split: Split
    steps: int | None
    should_stop: ShouldStop
    ends: bool = False


class Tunings(Expertise):
    """The part of a home that tunes."""

    def validation(self, asked: Asked) -> list[TaskText]:
        """The texts that tuning may see."""
        return self.texts(asked.split.id, "meta-validation")

    def tuned(self, method: Method, asked: Asked, tune: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What tuning found for a run's weights before, or finds now."""
        place = asked.loaded.run.id, asked.loaded.checkpoint_step, asked.split.id, method
        found = self.store.tunings.get(*place)
        if found is None:
            found = tune()
            self.store.tunings.add(*place, found)
        return found


def adapting(loaded: Loaded, *, ends: bool) -> AdaptingGru:
    """A run that adapts as it was tuned. ends: see `AdaptingGru`."""
    from metalm.evaluate.contenders import AdaptingGru

    return AdaptingGru(
        model=loaded.model,
        weights=loaded.weights,
        tokenizer=loaded.tokenizer,
        rule=loaded.rule,
        lengths=loaded.lengths,
        seed=loaded.run.seed,
        ends=ends,
    )
