"""What an outer step tells while it runs: every loss, once, in summed nats with its counts.

The same moment serves two more ends: a loss that is not finite ends the run, and the stop flag is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from metalm.errors import DivergedError
from metalm.learn.inner import Adapted
from metalm.learn.reports import Loss, Part
from metalm.learn.stopping import ShouldStop, stop_if
from metalm.learn.windows import Visit
from metalm.text.tokenizers import Tokenizer


class Watch:
    """Collects the losses of one outer step. Visits to the same task add up."""

    def __init__(self, step: int, tokenizer: Tokenizer, should_stop: ShouldStop) -> None:
        self.step = step
        self.tokens = 0  # predictions whose gradient was taken
        self.scalars: dict[str, float] = {}
        self._tokenizer = tokenizer
        self._should_stop = should_stop
        self._nats: dict[tuple[str, Part, int], float] = {}
        self._counts: dict[tuple[str, Part, int], np.ndarray] = {}

    def saw(
        self,
        visit: Visit,
        part: Part,
        adaptation_step: int,
        nats_BT: Tensor,
        targets_BT: Tensor,
        *,
        trained: bool = True,
    ) -> None:
        """Take the losses of some tokens after `adaptation_step` steps. trained: so is their gradient.

        Raises DivergedError when they are not finite, Stopped when the stop flag is up.
        """
        nats = float(nats_BT.detach().sum())
        if not math.isfinite(nats):
            raise DivergedError(
                f"the {part} loss of task {visit.name!r} must be finite, got {nats} in outer step "
                f"{self.step} after {adaptation_step} adaptation steps; try a smaller lr or a gradient clip"
            )
        key = (visit.task_id, part, adaptation_step)
        ids = targets_BT.cpu().numpy()
        counts = self._counted(ids)
        # As in every score: a warm start may meet characters that its parent's vocabulary does not hold.
        self._nats[key] = self._nats.get(key, 0.0) + nats + float(self._tokenizer.extra_nats[ids].sum())
        self._counts[key] = self._counts.get(key, 0) + counts
        self.tokens += int(counts[0]) if trained else 0
        stop_if(self._should_stop)

    def _counted(self, ids: np.ndarray) -> np.ndarray:
        """(tokens, bytes, characters) of ids of any shape; an unknown's are those of its symbol."""
        return np.array(
            [ids.size, self._tokenizer.byte_counts[ids].sum(), self._tokenizer.char_counts[ids].sum()]
        )

    def adapting(self, visit: Visit) -> Callable[[Adapted], None]:
        """A listener for `adapt`: the support loss before each adaptation step."""

        def on_step(adapted: Adapted) -> None:
            if adapted.step > 0:
                self.saw(visit, "support", adapted.step - 1, adapted.nats_BT, adapted.targets_BT)

        return on_step

    def measured(self, name: str, value: float) -> None:
        """Take a number about the step itself, "lr" say. Raises DivergedError when it is not finite."""
        if not math.isfinite(value):
            raise DivergedError(
                f"{name} must be finite, got {value} in outer step {self.step}; "
                "try a smaller lr or a gradient clip"
            )
        self.scalars[name] = value

    def losses(self) -> tuple[Loss, ...]:
        """All that was seen, in the order of its first sight."""
        return tuple(_loss(key, self._nats[key], counts) for key, counts in self._counts.items())


def _loss(key: tuple[str, Part, int], nats: float, counts: np.ndarray) -> Loss:
    task_id, part, step = key
    tokens, num_bytes, chars = (int(count) for count in counts)
    return Loss(
        task_id=task_id,
        part=part,
        adaptation_step=step,
        nats=nats,
        tokens=tokens,
        bytes=num_bytes,
        chars=chars,
    )
