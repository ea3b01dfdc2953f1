"""The posterior of each meta-train task, P(theta | D_t), by Laplace: the experts of the article's formula.

The prior is N(theta, I / lambda), theta the slow weights; theta_t is where n_t L_t + lambda/2 |theta_t -
theta|^2 is least, L_t the nats per token of the task's training part and n_t its tokens. The posterior is
N(theta_t, (n_t F_t + lambda I)^-1), F_t the diagonal of the *empirical* Fisher information per token.

theta_t is found by proximal descent of L_t (`metalm.learn.moves`), pulled with lambda / n_t, on windows drawn
from the training part. F_t = E[g_i^2], g_i the gradient of a token's nats, is taken from gradients m of the
mean over a window of w tokens. Given what came before it, a score g_i has mean 0 under the model itself, so
that the scores of a window are not correlated: E[(w m)^2] = w F_t, and F_t = w E[m^2]. Where a mean gradient
mu is left, lambda (theta - theta_t) / n_t at the optimum, this is too large by (w - 1) mu^2.

Ponti et al. 2019 (arXiv:2108.03334) make such a posterior the prior of languages that were never seen.
Shapes: T tasks, N windows of a task, S tokens predicted in a window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metalm.config import InnerLoop, Settings, setting
from metalm.errors import DivergedError, SplitError
from metalm.learn.inner import SupportSet, adapt, blocks
from metalm.learn.rules import Rule
from metalm.learn.stopping import ShouldStop, never, stop_if
from metalm.learn.windows import TaskTokens, draw_windows
from metalm.model.engine import Engine, Windows
from metalm.model.engines import engine_for
from metalm.model.fast_weights import Weights
from metalm.model.gru import GRULM
from metalm.model.task_weights import TaskWeights, of_task, per_task, shared


@dataclass(frozen=True, kw_only=True)
class Posterior(Settings):
    """How the experts are made. No step, or a prior of endless precision, leaves the slow weights."""

    section = "posterior"
    steps: int = setting(200, "steps of descent to each expert", at_least=0, at_most=1000)
    lr: float = setting(0.3, "step size of each of them", at_least=0.0, at_most=100.0)
    batch: int = setting(8, "windows in one step", at_least=1, at_most=4096)
    window: int = setting(64, "tokens predicted in one window", at_least=1, at_most=8192)
    precision: float = setting(
        100.0,
        "lambda of the prior around the slow weights: their standard deviation is 1 / sqrt(lambda)",
        at_least=1e-3,
        at_most=1e15,
    )
    fisher_windows: int = setting(
        64, "windows of a task from which its Fisher information is estimated", at_least=1, at_most=4096
    )


@dataclass(frozen=True)
class Experts:
    """The posteriors of T tasks, side by side.

    weights: theta_t, (T, ...) by name. deviations: the standard deviation of each weight, in half precision:
    they are estimates. tokens: n_t. seed: what the windows were, and samples are, drawn from.
    """

    task_ids: tuple[str, ...]
    names: tuple[str, ...]
    tokens: tuple[int, ...]
    weights: TaskWeights
    deviations: TaskWeights
    settings: Posterior
    seed: int

    def __len__(self) -> int:
        return len(self.task_ids)

    def component(self, expert: int, sample: int | None = None) -> Weights:
        """Sample number `sample` of an expert's posterior; None: its mode theta_t, in the experts' memory.

        It follows from seed, task and number, whatever else is drawn.
        """
        mode = of_task(self.weights, expert)
        if sample is None:
            return mode
        generator = torch.Generator().manual_seed(_number(self.seed, self.task_ids[expert], sample))
        return {
            name: torch.addcmul(
                weight,
                torch.randn(weight.shape, generator=generator).to(weight),
                self.deviations[name][expert].to(weight),
            )
            for name, weight in sorted(mode.items())
        }

    def components(self, samples: int) -> Iterator[Weights]:
        """`samples` of each expert, expert after expert, one at a time in memory; 0: the modes alone."""
        for expert in range(len(self)):
            for sample in range(samples) if samples else (None,):
                yield self.component(expert, sample)


def experts_of(
    model: GRULM,
    weights: Weights,
    tasks: Sequence[TaskTokens],
    settings: Posterior = Posterior(),
    *,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    should_stop: ShouldStop = never,
) -> Experts:
    """The posteriors of the tasks around the slow `weights`, each as it would be without the others.

    A few tasks are descended side by side, so that memory holds the result and little more. on_progress hears
    the share done, 0 to 1. Raises SplitError when there is no task or one is shorter than a window,
    DivergedError, Stopped.
    """
    if not tasks:
        raise SplitError("experts must have a meta-train task, got none")
    for task in tasks:
        _check_length(task, settings)
    engine = engine_for(model)
    # Made whole at once and filled in, so that nothing is held twice.
    modes, deviations = _room(weights, len(tasks)), _room(weights, len(tasks), torch.float16)
    parts = list(blocks(range(len(tasks)), engine.tasks_at_once))
    for number, part in enumerate(parts):

        def tell(share: float, number: int = number) -> None:
            if on_progress is not None:
                on_progress((number + share) / len(parts))

        met = [tasks[n] for n in part]
        windows = [_drawn(task, settings, seed) for task in met]
        fast = _descended(engine, weights, met, windows, settings, tell, should_stop)
        for row, n in enumerate(part):
            mode, judged_NT = of_task(fast, row), windows[row][: settings.fisher_windows]
            _check_finite(tasks[n], mode, settings)
            fisher = empirical_fisher(engine, mode, judged_NT, should_stop=should_stop)
            for name, weight in mode.items():
                variance = (len(tasks[n].ids) * fisher[name] + settings.precision).reciprocal_()
                modes[name][n], deviations[name][n] = weight, variance.sqrt_()
        tell(1.0)
    return Experts(
        tuple(task.task_id for task in tasks),
        tuple(task.name for task in tasks),
        tuple(len(task.ids) for task in tasks),
        modes,
        deviations,
        settings,
        seed,
    )


def empirical_fisher(
    engine: Engine, weights: Weights, windows_NT: Tensor, *, should_stop: ShouldStop = never
) -> Weights:
    """The diagonal F of the empirical Fisher information per token, from windows (N, S + 1).

    Raises Stopped.
    """
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for block_NT in blocks(windows_NT):
        stop_if(should_stop)
        # Every window as a task of its own: so its gradient is not added to those of the others.
        _, gradient = engine.gradient(shared(weights, len(block_NT)), Windows(block_NT[:, None]))
        for name, part in gradient.items():
            total[name] += part.square_().sum(0)
    num_windows, num_tokens = windows_NT.shape
    return {name: part * ((num_tokens - 1) / num_windows) for name, part in total.items()}


@dataclass(frozen=True, kw_only=True)
class _Prior(Rule):
    """Descent under the prior: each task has a pull of its own, so it is in `pulls`, by name."""

    pulls: TaskWeights

    def pull(self, name: str) -> Tensor:
        return self.pulls[name]


def _descended(
    engine: Engine,
    weights: Weights,
    tasks: Sequence[TaskTokens],
    windows: Sequence[Tensor],
    settings: Posterior,
    tell: Callable[[float], None],
    should_stop: ShouldStop,
) -> TaskWeights:
    """theta_t of the tasks. Raises Stopped."""
    slow = shared(weights, len(tasks))
    of_all = torch.tensor([settings.precision / len(task.ids) for task in tasks])
    pulls = {name: per_task(of_all.to(weight), weight) for name, weight in slow.items()}
    inner = InnerLoop(
        steps=settings.steps, lr=settings.lr, batch=settings.batch, window=settings.window, proximal=1.0
    )
    return adapt(
        engine,
        slow,
        [SupportSet(windows_NT) for windows_NT in windows],
        _Prior(inner=inner, pulls=pulls),
        on_step=lambda adapted: tell(adapted.step / (settings.steps + 1)),
        should_stop=should_stop,
    )


def _room(weights: Weights, num_tasks: int, dtype: torch.dtype | None = None) -> TaskWeights:
    return {
        name: weight.new_empty((num_tasks, *weight.shape), dtype=dtype) for name, weight in weights.items()
    }


def _check_finite(task: TaskTokens, mode: Weights, settings: Posterior) -> None:
    if not all(weight.isfinite().all() for weight in mode.values()):
        raise DivergedError(
            f"the expert of task {task.name!r} must have finite weights after {settings.steps} steps; "
            f"choose a posterior.lr below {settings.lr:g}"
        )


def _drawn(task: TaskTokens, settings: Posterior, seed: int) -> Tensor:
    """Windows (N, S + 1) of the training part in random order; no token is in two of them.

    As many as descent reads; a shorter text gives all that it has, which are then read in a circle.
    """
    wanted = max(settings.steps * settings.batch, settings.fisher_windows)
    return draw_windows(task, settings.window, wanted, np.random.default_rng(_number(seed, task.task_id)))


def _number(*of: object) -> int:
    """63 bits that follow from what is told."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:8]) >> 1


def _check_length(task: TaskTokens, settings: Posterior) -> None:
    if len(task.ids) <= settings.window:
        raise SplitError(
            f"task {task.name!r} has {len(task.ids)} tokens to make an expert of, needs "
            f"{settings.window + 1} for one window; choose a shorter posterior.window"
        )
