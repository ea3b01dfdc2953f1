"""What an outer step tells while it runs: every loss, once, in summed nats with its counts.

The same moment serves two more ends: a loss that is not finite ends the run, and the stop flag is read.
Numbers are taken from the device once a step, in `settle`, so that nothing waits for them on the way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalm.errors import DivergedError
from metalm.learn.inner import Adapted
from metalm.learn.reports import Loss, Measure, Part
from metalm.learn.stopping import ShouldStop, stop_if
from metalm.learn.windows import Visit
from metalm.model.engine import Windows
from metalm.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class _Sight:
    """Losses (T, B, S) that were seen and are not yet settled."""

    visits: Sequence[Visit]
    part: Part
    adaptation_step: int
    nats_T: Tensor
    windows: Windows


class Watch:
    """Collects the losses of one outer step. Visits to the same task add up."""

    def __init__(self, step: int, tokenizer: Tokenizer, should_stop: ShouldStop) -> None:
        self.step = step
        self.scored = 0  # predictions whose loss alone was taken
        self.tokens = 0  # predictions whose gradient was taken
        self.hessian_tokens = 0  # predictions that a Hessian product was taken of
        self.scalars: dict[str, float] = {}
        self._tokenizer = tokenizer
        self._should_stop = should_stop
        self._sights: list[_Sight] = []
        self._norms: dict[int, list[Tensor]] = {}
        self._norms_of: list[tuple[str, Sequence[Visit], Tensor]] = []
        self._nats: dict[tuple[str, Part, int], float] = {}
        self._counts: dict[tuple[str, Part, int], np.ndarray] = {}

    def saw(
        self,
        visits: Sequence[Visit],
        part: Part,
        adaptation_step: int,
        nats_TBS: Tensor,
        windows: Windows,
    ) -> None:
        """Take the losses of some windows of some tasks after `adaptation_step` steps, each with a gradient.

        Raises Stopped when the stop flag is up.
        """
        self.tokens += self._see(visits, part, adaptation_step, nats_TBS, windows)

    def saw_only(
        self, visits: Sequence[Visit], adaptation_step: int, nats_TBS: Tensor, windows: Windows
    ) -> None:
        """The same of query losses whose gradient is not taken."""
        self.scored += self._see(visits, "query", adaptation_step, nats_TBS, windows)

    def saw_step(self, visits: Sequence[Visit], adapted: Adapted) -> None:
        """Take what an adaptation step learned from; nothing of step 0."""
        if adapted.lesson is not None:
            step = adapted.step - 1
            self._norms.setdefault(step, []).append(adapted.lesson.norms_T)
            self.saw(visits, "support", step, adapted.lesson.losses.nats_TBS, adapted.lesson.windows)

    def saw_hessian_product(
        self, visits: Sequence[Visit], adaptation_step: int, windows: Windows, norms_T: Tensor
    ) -> None:
        """Take the norms of a Hessian product at the weights after so many steps. Raises Stopped."""
        self.hessian_tokens += _count(windows)
        what = f"Hessian product after {adaptation_step} adaptation steps"
        self._norms_of.append((what, visits, norms_T))
        stop_if(self._should_stop)

    def saw_gradient(self, visits: Sequence[Visit], norms_T: Tensor) -> None:
        """Take the norms of the tasks' gradients by the slow weights."""
        self._norms_of.append(("outer gradient", visits, norms_T))

    def _see(self, visits: Sequence[Visit], part: Part, step: int, nats_TBS: Tensor, windows: Windows) -> int:
        self._sights.append(_Sight(visits, part, step, nats_TBS.detach().sum((1, 2)), windows))
        stop_if(self._should_stop)
        return _count(windows)

    def measured(self, name: str, value: float) -> None:
        """Take a number about the step itself, "lr" say. Raises DivergedError when it is not finite."""
        if not math.isfinite(value):
            raise DivergedError(
                f"{name} must be finite, got {value} in outer step {self.step}; "
                "try a smaller lr or a gradient clip"
            )
        self.scalars[name] = value

    def settle(self) -> None:
        """Count all that was seen. Raises DivergedError, naming the place, when a number is not finite."""
        sights, self._sights = self._sights, []
        for sight in sights:
            counts = self._counted(sight.windows)
            for visit, nats, count in zip(sight.visits, sight.nats_T.tolist(), counts, strict=True):
                self._settle_one(sight, visit, nats, count)
        seen, self._norms_of = self._norms_of, []
        for what, visits, norms_T in seen:
            for visit, norm in zip(visits, norms_T.tolist(), strict=True):
                if not math.isfinite(norm):
                    raise DivergedError(
                        f"the {what} of task {visit.name!r} must be finite, got one of norm {norm} "
                        f"in outer step {self.step}; try a smaller lr or a gradient clip"
                    )

    def _settle_one(self, sight: _Sight, visit: Visit, nats: float, counted: np.ndarray) -> None:
        if not math.isfinite(nats):
            raise DivergedError(
                f"the {sight.part} loss of task {visit.name!r} must be finite, got {nats} in outer step "
                f"{self.step} after {sight.adaptation_step} adaptation steps; try a smaller lr or a gradient "
                "clip"
            )
        key = (visit.task_id, sight.part, sight.adaptation_step)
        # As in every score: a warm start may meet characters that its parent's vocabulary does not hold.
        self._nats[key] = self._nats.get(key, 0.0) + nats + float(counted[3])
        self._counts[key] = self._counts.get(key, 0) + counted[:3]

    def _counted(self, windows: Windows) -> np.ndarray:
        """(T, 4): tokens, bytes, characters and extra nats of each task; an unknown's are its symbol's."""
        ids = windows.targets_TBS.cpu().numpy()
        tokenizer = self._tokenizer
        tables = (tokenizer.byte_counts, tokenizer.char_counts, tokenizer.extra_nats)
        mask = None if windows.mask_TBS is None else windows.mask_TBS.cpu().numpy()
        each = [np.ones_like(ids), *(table[ids] for table in tables)]
        if mask is not None:
            each = [np.where(mask, numbers, 0) for numbers in each]
        return np.stack([numbers.sum((1, 2)) for numbers in each], axis=1)

    def losses(self) -> tuple[Loss, ...]:
        """All that was seen, in the order of its first sight."""
        self.settle()
        return tuple(_loss(key, self._nats[key], counts) for key, counts in self._counts.items())

    def measures(self) -> tuple[Measure, ...]:
        """The norms of the gradients of adaptation, before clipping, as means over tasks."""
        return tuple(
            Measure(name="inner_gradient_norm", value=float(torch.cat(norms).mean()), adaptation_step=step)
            for step, norms in self._norms.items()
        )


def _count(windows: Windows) -> int:
    return windows.targets_TBS.numel() if windows.mask_TBS is None else int(np.sum(windows.counts_T.tolist()))


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
