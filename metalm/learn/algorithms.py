"""The table of algorithms: for each, what it reads of a task in one outer step, and the step itself.

A new one is a settings class in `metalm.config`, a module with a `meta_step` here, and a line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from metalm.config import Episodic, RunConfig
from metalm.learn import (
    anil,
    cavia,
    fomaml,
    imaml,
    joint,
    maml,
    maml_plus_plus,
    meta_sgd,
    reptile,
    sequential,
)
from metalm.learn.learner import Learner
from metalm.learn.rules import FISHER, Rule
from metalm.learn.watch import Watch
from metalm.learn.windows import TaskTokens, Visit, draw_batch, draw_episode, draw_streams
from metalm.model.fast_weights import Weights, slow_weights
from metalm.model.gru import GRULM


def _nothing(_model: GRULM, _settings: Any, _generator: torch.Generator) -> Weights:
    return {}


@dataclass(frozen=True)
class Recipe:
    """draw(task, settings, rng) gives a Visit; meta_step(learner, visits, settings, watch) learns from them.

    in_order: an outer step visits one task, the next one in turn, instead of a meta-batch that is drawn.
    learned(model, settings, generator): what is learned beside the slow weights, as it starts.
    """

    draw: Callable[[TaskTokens, Any, np.random.Generator], Visit]
    meta_step: Callable[[Learner, Sequence[Any], Any, Watch], None]
    in_order: bool = False
    learned: Callable[[GRULM, Any, torch.Generator], Weights] = _nothing


RECIPES: dict[str, Recipe] = {
    "sequential": Recipe(draw_streams, sequential.meta_step, in_order=True),
    "joint": Recipe(draw_batch, joint.meta_step),
    "maml": Recipe(draw_episode, maml.meta_step),
    "fomaml": Recipe(draw_episode, fomaml.meta_step),
    "reptile": Recipe(draw_episode, reptile.meta_step),
    "anil": Recipe(draw_episode, anil.meta_step),
    "meta-sgd": Recipe(draw_episode, meta_sgd.meta_step, learned=meta_sgd.learned),
    "maml++": Recipe(draw_episode, maml_plus_plus.meta_step, learned=maml_plus_plus.learned),
    "cavia": Recipe(draw_episode, cavia.meta_step, learned=cavia.learned),
    "imaml": Recipe(draw_episode, imaml.meta_step),
}


def starting_learned(config: RunConfig, model: GRULM) -> Weights:
    """What a run learns beside the slow weights, as it starts: it follows from the seed."""
    algorithm = config.algorithm
    generator = torch.Generator().manual_seed(config.seed)
    learned = RECIPES[algorithm.name].learned(model, algorithm, generator)
    if isinstance(algorithm, Episodic) and algorithm.inner.fisher:
        weights = slow_weights(model)
        adapting = Rule(algorithm.inner).adapting(weights)
        learned |= {FISHER + name: torch.ones_like(weights[name]) for name in adapting}
    return learned
