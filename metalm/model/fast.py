"""The fast engine: derivatives written by hand, many tasks side by side, every core busy.

A call is cut into parts of some tasks each. A part is small enough for the processor's cache and runs on one
thread from beginning to end. Where there are fewer tasks than threads they come one after another, and a team
of threads shares each: of the recurrence every thread has some of the units, whose weights stay in its own
cache, and torch's own threads share the products. Of a narrow network every cache holds all weights; there a
part is some of a task's texts. Results are put together in a fixed order: the same call with the same number
of threads gives the same bits.
Shapes: see `metalm.model.engine` and `metalm.model.passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

import torch
from torch import Tensor

from metalm.model.dropout import scales_of_tasks
from metalm.model.engine import Losses, Predictions, Windows
from metalm.model.gru import GRULM
from metalm.model.parts import Part, Sums
from metalm.model.passes import EMBEDDING, Pass
from metalm.model.tangents import Tangents
from metalm.model.task_weights import TaskWeights, is_shared
from metalm.model.threads import each

# Of one part, as far as it can be cut: with its weights it then fits a core's share of the cache.
_CACHE_BYTES = 8 << 20
TASKS_AT_ONCE = 2  # of a training, on the CPU; or one for each thread
_TASKS_ON_A_GPU = 64
# Hidden units from which on a team pays: where texts could be shared instead, and of a text alone.
_WIDE, _WIDE_ALONE = 320, 128
_Result = TypeVar("_Result")


class FastEngine:
    """An `Engine` whose derivatives are those of `passes`.

    threads: parts that are worked on at the same time; by default as many as torch may use in this thread.
    """

    def __init__(self, model: GRULM, threads: int | None = None) -> None:
        self._layers = model.config.layers
        self._hidden = model.config.hidden
        self._dropout = model.config.dropout
        self._threads = threads or torch.get_num_threads()
        on_gpu = next(model.parameters()).device.type != "cpu"
        self.tasks_at_once = _TASKS_ON_A_GPU if on_gpu else max(TASKS_AT_ONCE, self._threads)

    @torch.no_grad()
    def losses(self, weights: TaskWeights, windows: Windows) -> Losses:
        """See `Engine.losses`."""
        folds = len(windows.tokens_TBS) > 1 and not self._drops(windows)
        if folds and all(is_shared(weight) for weight in weights.values()):
            # One task with all texts: eight of them side by side cost the recurrence little more than one.
            one = {name: weight[:1] for name, weight in weights.items()}
            return _unfolded(self.losses(one, _folded(windows)), len(windows.tokens_TBS))

        def work(part: Part) -> tuple[Tensor, Tensor]:
            forward = self._forward(weights, windows, part, keep=False)
            mask = part.of(windows.mask_TBS)
            if mask is not None and not mask.any():  # a support set that is only read
                return mask.to(forward.head.dtype), forward.hidden_TLBH()
            return _nats(forward, windows, part)[1], forward.hidden_TLBH()

        return _losses(windows, self._run(work, weights, windows))

    @torch.no_grad()
    def log_probs(self, weights: TaskWeights, windows: Windows) -> Predictions:
        """See `Engine.log_probs`."""

        def work(part: Part) -> tuple[Tensor, Tensor]:
            forward = self._forward(weights, windows, part, keep=False)
            tasks, texts, steps = forward.shape
            return _log_p(forward).view(tasks, steps, texts, -1).transpose(1, 2), forward.hidden_TLBH()

        results = self._run(work, weights, windows)
        like = results[0][1][0]
        whole = like.new_empty(*windows.targets_TBS.shape, like.shape[-1])
        return Predictions(*_together(whole, results))

    @torch.no_grad()
    def gradient(
        self, weights: TaskWeights, windows: Windows, names: Collection[str] | None = None
    ) -> tuple[Losses, TaskWeights]:
        """See `Engine.gradient`."""
        names = tuple(weights) if names is None else tuple(names)
        shares_T, found = _shares(windows, weights), Sums(weights, names)

        def work(part: Part) -> tuple[Tensor, Tensor, TaskWeights]:
            forward = self._forward(weights, windows, part, keep=True)
            log_p, nats = _nats(forward, windows, part)
            dlogits = _dlogits(log_p.exp_(), windows, part, shares_T)
            return nats, forward.hidden_TLBH(), found.put(part, forward.backward(dlogits, names))

        results = self._run(work, weights, windows)
        return _losses(windows, results), found.total([(part, result[2]) for part, result in results])

    @torch.no_grad()
    def hessian_product(
        self, weights: TaskWeights, windows: Windows, direction: TaskWeights, *, gradient: bool = True
    ) -> tuple[TaskWeights, TaskWeights]:
        """See `Engine.hessian_product`. Pearlmutter 1994: the tangent of the gradient, in one more pass."""
        shares_T, names = _shares(windows, weights), tuple(weights) if gradient else ()
        gradients, products = Sums(weights, names), Sums(weights, tuple(weights))

        def work(part: Part) -> tuple[TaskWeights, TaskWeights]:
            forward = self._forward(weights, windows, part, keep=True)
            here = {name: x[part.begin : part.end].contiguous() for name, x in direction.items()}
            tangents = Tangents(forward, here)
            p = torch.softmax(forward.logits_TNV(), -1)
            logits_dot = tangents.logits_TNV()
            weighted = p * (logits_dot - (p * logits_dot).sum(-1, keepdim=True))
            dlogits_dot = weighted * _weights_of(windows, part, shares_T)
            dlogits = _dlogits(p, windows, part, shares_T)
            found, product = tangents.backward(dlogits, dlogits_dot, names)
            return gradients.put(part, found), products.put(part, product)

        results = self._run(work, weights, windows)
        both = ([(part, result[i]) for part, result in results] for i in (0, 1))
        return tuple(sums.total(rest) for sums, rest in zip((gradients, products), both, strict=True))

    def _drops(self, windows: Windows) -> bool:
        return self._dropout > 0 and windows.dropout_seeds is not None

    def _forward(self, weights: TaskWeights, windows: Windows, part: Part, *, keep: bool) -> Pass:
        here = {name: weight[part.begin : part.end] for name, weight in weights.items()}
        hidden = windows.hidden_TLBH
        if hidden is not None:
            hidden = hidden[part.begin : part.end, :, part.first : part.last]
        team = self._team(windows)
        inputs, dropout = part.of(windows.inputs_TBS), self._factors(here, windows, part)
        return Pass(here, self._layers, inputs, hidden, keep=keep, team=team, dropout=dropout)

    def _factors(self, weights: TaskWeights, windows: Windows, part: Part) -> list[Tensor]:
        """The dropout factors of a part, of the input and of each layer's output: `Pass`."""
        if not self._drops(windows):
            return []
        table, seeds = weights[EMBEDDING], windows.dropout_seeds[part.begin : part.end]
        widths = [table.shape[2], *[self._hidden] * self._layers]
        whole = scales_of_tasks(table, self._dropout, seeds, windows.inputs_TBS.shape[1:], widths)
        return [factors[:, :, part.first : part.last] for factors in whole]

    def _run(
        self, work: Callable[[Part], _Result], weights: TaskWeights, windows: Windows
    ) -> list[tuple[Part, _Result]]:
        """`work` on every part, in the order of the parts."""
        parts = self._parts(weights, windows)
        at_once = self._threads if self._team(windows) == 1 else 1
        return list(zip(parts, each(work, parts, at_once), strict=True))

    def _team(self, windows: Windows) -> int:
        """How many threads share a part."""
        tasks, texts = windows.targets_TBS.shape[:2]
        is_wide = self._hidden >= (_WIDE if texts > 1 else _WIDE_ALONE)
        return self._threads if tasks < self._threads and is_wide else 1

    def _parts(self, weights: TaskWeights, windows: Windows) -> list[Part]:
        tasks, texts, steps = windows.inputs_TBS.shape
        if windows.tokens_TBS.device.type != "cpu":
            return [Part(0, tasks, 0, texts)]
        table = next(iter(weights.values()))
        # Of each position: gates, their derivatives, states and what comes from above; logits, twice.
        numbers = max(1, steps * texts) * (10 * self._hidden * self._layers + 2 * table.shape[1])
        at_once = max(1, min(_CACHE_BYTES // (numbers * table.element_size()), -(-tasks // self._threads)))
        if tasks >= self._threads:
            return [Part(t, min(t + at_once, tasks), 0, texts) for t in range(0, tasks, at_once)]
        pieces = max(1, min(texts, self._threads // tasks)) if self._team(windows) == 1 else 1
        cuts = [texts * i // pieces for i in range(pieces + 1)]
        return [
            Part(t, t + 1, first, last)
            for t in range(tasks)
            for first, last in zip(cuts[:-1], cuts[1:], strict=True)
        ]


def _folded(windows: Windows) -> Windows:
    """The windows of all tasks as those of one."""
    hidden, mask = windows.hidden_TLBH, windows.mask_TBS
    return Windows(
        windows.tokens_TBS.flatten(0, 1)[None],
        None if mask is None else mask.flatten(0, 1)[None],
        None if hidden is None else hidden.transpose(0, 1).flatten(1, 2)[None],
    )


def _unfolded(losses: Losses, tasks: int) -> Losses:
    hidden_LTBH = losses.hidden_TLBH[0].unflatten(1, (tasks, -1))
    return Losses(losses.nats_TBS[0].unflatten(0, (tasks, -1)), hidden_LTBH.transpose(0, 1))


def _nats(forward: Pass, windows: Windows, part: Part) -> tuple[Tensor, Tensor]:
    """(log_p_TNV, nats_TBS): log probabilities, and the losses, 0 where they do not count."""
    log_p_TNV = _log_p(forward)
    tasks, texts, steps = forward.shape
    nats = -log_p_TNV.gather(-1, _targets(windows, part)).view(tasks, steps, texts).transpose(1, 2)
    mask = part.of(windows.mask_TBS)
    return log_p_TNV, nats if mask is None else torch.where(mask, nats, 0)


def _log_p(forward: Pass) -> Tensor:
    """(T, N, V): log probabilities of what follows each position."""
    return torch.log_softmax(forward.logits_TNV(), -1)


def _targets(windows: Windows, part: Part) -> Tensor:
    """(T, N, 1): the token that follows each position."""
    return part.of(windows.targets_TBS).transpose(1, 2).flatten(1)[..., None]


def _shares(windows: Windows, weights: TaskWeights) -> Tensor:
    """(T,): the weight of one prediction in its task's mean; 0 for a task that predicts nothing."""
    like = next(iter(weights.values()))
    return 1 / windows.counts_T.clamp(min=1).to(like.dtype)


def _weights_of(windows: Windows, part: Part, shares_T: Tensor) -> Tensor:
    """(T, N or 1, 1): the weight of each position in the objective."""
    shares = shares_T[part.begin : part.end, None, None]
    mask = part.of(windows.mask_TBS)
    return shares if mask is None else shares * mask.transpose(1, 2).flatten(1)[..., None]


def _dlogits(p_TNV: Tensor, windows: Windows, part: Part, shares_T: Tensor) -> Tensor:
    """The objective's derivatives by the logits, in the memory of the probabilities."""
    targets = _targets(windows, part)
    p_TNV.scatter_add_(-1, targets, p_TNV.new_full((), -1.0).expand(targets.shape))
    return p_TNV.mul_(_weights_of(windows, part, shares_T))


def _losses(windows: Windows, results: list[tuple[Part, tuple]]) -> Losses:
    nats = results[0][1][0].new_empty(windows.targets_TBS.shape)
    return Losses(*_together(nats, results))


def _together(whole_TBS: Tensor, results: list[tuple[Part, tuple]]) -> tuple[Tensor, Tensor]:
    """(whole_TBS, hidden_TLBH): the first of each part's results written into the whole, and its states."""
    hidden = results[0][1][1]
    tasks, texts = whole_TBS.shape[:2]
    hidden_TLBH = hidden.new_empty(tasks, hidden.shape[1], texts, hidden.shape[3])
    for part, result in results:
        part.of(whole_TBS).copy_(result[0])
        hidden_TLBH[part.begin : part.end, :, part.first : part.last] = result[1]
    return whole_TBS, hidden_TLBH
