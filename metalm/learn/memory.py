"""How much memory a training takes: measured while it runs, and told from its shapes."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from types import TracebackType
from typing import Self

import psutil
import torch

from metalm.config import (
    Anil,
    Cavia,
    Episodic,
    Fomaml,
    Imaml,
    Maml,
    MamlPlusPlus,
    MetaSgd,
    Reptile,
    RunConfig,
    Sequential,
)
from metalm.learn.inner import OF_ENDS_ALONE
from metalm.model.fast import TASKS_AT_ONCE

_LOOK_SECONDS = 0.005
_NUMBER = 4  # bytes of a float32
_WALKED_BACK = (Maml, Anil, MetaSgd, MamlPlusPlus, Cavia)  # their gradient goes through every step


class PeakMemory:
    """The most memory taken at once inside a `with`, beyond what was held when it began: `peak_bytes`.

    On CUDA what torch allocated there; elsewhere the resident memory of the whole process, looked at every
    few milliseconds.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="metalm-memory")
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        _give_back()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._before = self._used()
        self._watcher.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._watcher.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._used() - self._before)

    def _used(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return self._process.memory_info().rss


def _give_back() -> None:
    """Returns to the system what earlier work has freed: used again, it would not be seen to grow."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
        if trim is not None:
            trim(0)


def memory_parts(config: RunConfig, vocab_size: int, num_weights: int) -> dict[str, int]:
    """Bytes by what they are for, from the shapes alone: right in its order of magnitude, on any device.

    Fast weights and activations are those of one block of tasks.
    """
    algorithm, model = config.algorithm, config.model
    weights = num_weights * _NUMBER
    per_token = model.embedding + 6 * model.layers * model.hidden + 2 * vocab_size
    parts = {
        "slow weights, their gradient, the best so far": 3 * weights,
        "optimiser": 2 * weights * hasattr(algorithm, "optimizer"),
    }
    if isinstance(algorithm, Episodic):
        at_once = TASKS_AT_ONCE * (OF_ENDS_ALONE if _keeps_ends_alone(algorithm) else 1)
        inner, tasks = algorithm.inner, min(config.drawing.meta_batch, at_once)
        adapting = _num_adapting(config, vocab_size, num_weights) * _NUMBER
        parts["fast weights"] = tasks * _weight_sets(algorithm) * adapting
        tokens = tasks * inner.batch * inner.window
    else:
        tasks = 1 if isinstance(algorithm, Sequential) else config.drawing.meta_batch
        tokens = tasks * algorithm.batch * algorithm.window
    parts["activations"] = tokens * per_token * _NUMBER
    return parts


def _num_adapting(config: RunConfig, vocab_size: int, num_weights: int) -> int:
    """How many numbers of a task are its own after adaptation."""
    model = config.model
    head = vocab_size * (model.hidden + 1)
    table = 0 if model.tied else vocab_size * model.embedding
    return {
        "all": num_weights,
        "head": head,
        "head+embedding": head + table,
        "biases": 6 * model.layers * model.hidden + vocab_size,
        "context": 3 * model.hidden,  # what a context comes to: the first layer's input biases
    }[config.adaptation.adapts]


def _keeps_ends_alone(algorithm: Episodic) -> bool:
    is_first_order_anil = isinstance(algorithm, Anil) and algorithm.first_order
    return is_first_order_anil or isinstance(algorithm, Fomaml | Reptile)


def _weight_sets(algorithm: Episodic) -> int:
    """How many sets of weights a task holds at once: fast weights and gradients, and what else is needed."""
    if isinstance(algorithm, Imaml) and algorithm.cg_steps:
        return 6  # the four vectors of conjugate gradients
    if isinstance(algorithm, _WALKED_BACK) and not _keeps_ends_alone(algorithm):
        return algorithm.inner.steps + 4  # the weights before each step; product and direction
    return 2 + 2 * (algorithm.inner.optimizer == "adam")
