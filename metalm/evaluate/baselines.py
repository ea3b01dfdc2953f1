"""What any trained model must beat, on the very same bytes: uniform, unigram, scratch, and a joint run.

`uniform` and `unigram` know bytes only. `scratch` and the joint baselines are GRUs that adapt like any other,
with rate and steps tuned on meta-validation over a grid (`metalm.learn.tuning`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from metalm.config import InnerLoop, ModelConfig
from metalm.evaluate.contenders import AdaptingGru, Case, Judged, Method
from metalm.learn.rules import Rule
from metalm.learn.score import Score, num_chars
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.tuning import Grid, tune
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer

SMOOTHING = 0.5  # added to the count of every byte: Krichevsky and Trofimov 1981

# Random weights need larger and more steps than trained ones: over the grid of the others this baseline would
# be a straw man.
SCRATCH_GRID = Grid(lrs=(1.0, 2.0, 4.0), steps=(20, 40, 80))


def uniform_nats(support: bytes) -> np.ndarray:  # noqa: ARG001 (what it reads changes nothing)
    """Nats of each of the 256 bytes when all are as likely: 8 bits."""
    return np.full(256, math.log(256))


def unigram_nats(support: bytes) -> np.ndarray:
    """Nats of each of the 256 bytes by its share of the support set, smoothed; of no support: uniform."""
    counts = np.bincount(np.frombuffer(support, dtype=np.uint8), minlength=256) + SMOOTHING
    return math.log(counts.sum()) - np.log(counts)


@dataclass(frozen=True)
class ByteTable:
    """A contender that charges each byte of the query what `nats_of(support)` says, and takes no steps."""

    method: Method
    nats_of: Callable[[bytes], np.ndarray]
    seed: int = 0  # nothing is drawn

    @property
    def adaptation(self) -> dict[str, Any]:
        """Nothing is set."""
        return {}

    def steps(self) -> tuple[int, ...]:
        """Step 0 only."""
        return (0,)

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """See `Contender.judged`."""
        for number, case in enumerate(cases):
            stop_if(should_stop)
            begin = time.perf_counter()
            table = self.nats_of(case.support)
            learned = time.perf_counter()
            nats, size = float(table[np.frombuffer(case.query, dtype=np.uint8)].sum()), len(case.query)
            cost = Score(nats, size, size, num_chars(case.query), time.perf_counter() - learned)
            if 0 in case.steps:
                yield Judged(number, 0, learned - begin, cost)


UNIFORM = ByteTable("uniform", uniform_nats)
UNIGRAM = ByteTable("unigram", unigram_nats)


def scratch(
    config: ModelConfig,
    tokenizer: Tokenizer,
    validation: Sequence[TaskText],
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    grid: Grid = SCRATCH_GRID,
    should_stop: ShouldStop = never,
) -> AdaptingGru:
    """A GRU of the same settings that starts from random weights and sees the support set alone.

    validation: meta-validation texts, on which its rate and steps are tuned. Raises Stopped.
    """
    model = new_model(config, tokenizer.vocab_size, seed).to(device)
    weights = slow_weights(model)
    tuned = tune(model, weights, tokenizer, validation, Rule(InnerLoop()), grid, should_stop=should_stop)
    rule = Rule(tuned.inner)
    return AdaptingGru(
        method="scratch", model=model, weights=weights, tokenizer=tokenizer, rule=rule, seed=seed
    )


def joint_zero_shot(joint: AdaptingGru) -> AdaptingGru:
    """A joint run's weights as they are: the state reads the support set, the weights do not change."""
    return replace(joint, method="joint zero-shot", rule=joint.rule.with_inner(steps=0))


def joint_fine_tuning(joint: AdaptingGru) -> AdaptingGru:
    """A joint run's weights after the adaptation that was tuned for them, as any other run's is."""
    return replace(joint, method="joint fine-tuning")
