"""What any trained model must beat, on the very same bytes: byte models, compressors, scratch, a joint run.

`uniform`, `unigram` and `n-gram` count bytes; the compressors learn while they code, and belong to the online
track. `scratch` and the joint baselines are GRUs that adapt like any other, with rate and steps tuned on
meta-validation over a grid (`metalm.learn.tuning`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from metalm.config import InnerLoop, ModelConfig
from metalm.evaluate.compressors import PPMD_ORDER, added_nats, ppmd, xz
from metalm.evaluate.contenders import AdaptingGru, Case, Judged, Method, Track
from metalm.evaluate.ngram import ngram_nats
from metalm.learn.rules import Rule
from metalm.learn.score import Score, num_chars
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.tuning import Adaptation, Grid, tune
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.text.tasks import TaskText
from metalm.text.tokenizers import Tokenizer

SMOOTHING = 0.5  # added to the count of every byte: Krichevsky and Trofimov 1981

# Random weights need larger and more steps than trained ones: over the grid of the others this baseline would
# be a straw man.
SCRATCH_GRID = Grid(lrs=(1.0, 2.0, 4.0), steps=(20, 40, 80))


def uniform_nats(support: bytes, query: bytes) -> float:  # noqa: ARG001 (what it reads changes nothing)
    """Nats of the query when each of the 256 bytes is as likely: 8 bits a byte."""
    return len(query) * math.log(256)


def unigram_nats(support: bytes, query: bytes) -> float:
    """Nats of the query by each byte's share of the support set, smoothed; of no support: uniform."""
    table = unigram_table(support)
    return float(table[np.frombuffer(query, dtype=np.uint8)].sum())


def unigram_table(support: bytes) -> np.ndarray:
    """Nats of each of the 256 bytes."""
    counts = np.bincount(np.frombuffer(support, dtype=np.uint8), minlength=256) + SMOOTHING
    return math.log(counts.sum()) - np.log(counts)


@dataclass(frozen=True)
class ByteModel:
    """A contender that charges a query `nats_of(support, query)` in all, and takes no steps.

    settings: what is recorded as its adaptation.
    """

    method: Method
    nats_of: Callable[[bytes, bytes], float]
    track: Track = "static"
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0  # nothing is drawn

    @property
    def adaptation(self) -> dict[str, Any]:
        """Its settings."""
        return dict(self.settings)

    def steps(self, _support_bytes: int) -> tuple[int, ...]:
        """Step 0 only."""
        return (0,)

    def judged(self, cases: Sequence[Case], should_stop: ShouldStop = never) -> Iterator[Judged]:
        """See `Contender.judged`."""
        for number, case in enumerate(cases):
            stop_if(should_stop)
            begin, size = time.perf_counter(), len(case.query)
            nats = self.nats_of(case.support, case.query)
            cost = Score(nats, size, size, num_chars(case.query), time.perf_counter() - begin)
            if 0 in case.steps:
                yield Judged(number, 0, 0.0, cost)


UNIFORM = ByteModel("uniform", uniform_nats)
UNIGRAM = ByteModel("unigram", unigram_nats)
NGRAM = ByteModel("n-gram", lambda support, query: float(ngram_nats(support, query).sum()))
PPMD = ByteModel("PPMd", partial(added_nats, ppmd), "online", {"order": PPMD_ORDER})
XZ = ByteModel("xz", partial(added_nats, xz), "online")


def primed_ppmd(texts: Sequence[bytes], split_id: str) -> ByteModel:
    """PPMd that has read these texts, those of a split's meta-train tasks, before the support set."""
    primer = b"".join(texts)
    settings = {"order": PPMD_ORDER, "primed": len(primer), "split": split_id}
    return ByteModel("PPMd primed", partial(_primed_nats, primer), "online", settings)


def _primed_nats(primer: bytes, support: bytes, query: bytes) -> float:
    return added_nats(ppmd, primer + support, query)


def from_scratch(
    config: ModelConfig, tokenizer: Tokenizer, *, seed: int = 0, device: torch.device | str = "cpu"
) -> AdaptingGru:
    """A GRU of the same settings that starts from random weights and sees the support set alone."""
    model = new_model(config, tokenizer.vocab_size, seed).to(device)
    weights, rule = slow_weights(model), Rule(InnerLoop())
    return AdaptingGru(
        method="scratch", model=model, weights=weights, tokenizer=tokenizer, rule=rule, seed=seed
    )


def tuned_scratch(
    own: AdaptingGru,
    validation: Sequence[TaskText],
    grid: Grid = SCRATCH_GRID,
    *,
    should_stop: ShouldStop = never,
) -> Adaptation:
    """The rate and the number of steps that suit it best on meta-validation texts. Raises Stopped."""
    return tune(own.model, own.weights, own.tokenizer, validation, own.rule, grid, should_stop=should_stop)


def joint_zero_shot(joint: AdaptingGru) -> AdaptingGru:
    """A joint run's weights as they are: the state reads the support set, the weights do not change."""
    return replace(joint, method="joint zero-shot", rule=joint.rule.with_inner(steps=0), lengths={})


def joint_fine_tuning(joint: AdaptingGru) -> AdaptingGru:
    """A joint run's weights after the adaptation that was tuned for them, as any other run's is."""
    return replace(joint, method="joint fine-tuning")


def joint_continued(twin: AdaptingGru) -> AdaptingGru:
    """The equal-compute control: `metalm.home.twins`, after the adaptation that was tuned for it."""
    return replace(twin, method="joint continued")
