"""A function of tensors recorded on a GPU and replayed: one call starts what would be thousands.

A step of the recurrence keeps a GPU busy for microseconds, as long as Python needs to start one operation. A
recording (a CUDA graph) reads and writes memory of its own, so what a call is given is copied in, and what it
finds out: that takes as long as one or two steps. Calls of the same shapes share a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from threading import Lock

import torch
from torch import Tensor

from metalm.model.task_weights import is_shared

Arguments = Sequence[Tensor | None]
Found = tuple[Tensor | None, ...]
_SHARE_OF_DEVICE = 4  # recordings together have a quarter of the device's memory at most
_LATELY = 1000  # calls


def replay(function: Callable[..., Found], tensors: Arguments, *numbers: int) -> Found:
    """`function(*tensors, *numbers)`, recorded when the same shapes come a second time.

    The function must be the same operations for the same shapes and numbers, and give a tuple; it may write
    into its arguments, and what is left in them is undefined.
    """
    key = function, numbers, tuple(map(_shape, tensors)), tensors[0].device
    with _recordings.lock:
        recording = _recordings.found(key, function, tensors, numbers)
        if recording is not None:
            return recording.play(tensors)
    return function(*tensors, *numbers)


class _Recording:
    def __init__(self, function: Callable[..., Found], tensors: Arguments, numbers: Sequence[int]) -> None:
        self._tensors = [None if x is None else _room_for(x) for x in tensors]
        self._fill(tensors)
        function(*self._tensors, *numbers)  # kernels are compiled and loaded before, not while recording
        self._graph = torch.cuda.CUDAGraph()
        # What other threads do on the device meanwhile is theirs, and no error.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._found = function(*self._tensors, *numbers)
        self.num_bytes = sum(
            x.untyped_storage().nbytes() for x in (*self._tensors, *self._found) if x is not None
        )

    def play(self, tensors: Arguments) -> Found:
        self._fill(tensors)
        self._graph.replay()
        return tuple(None if x is None else x.clone() for x in self._found)

    def _fill(self, tensors: Arguments) -> None:
        for own, given in zip(self._tensors, tensors, strict=True):
            if given is not None:
                own[: _rows(given)].copy_(given[: _rows(given)])


class _Recordings:
    """Of all functions. A new one takes the place of those that were not played lately, or is not made: where
    those in use need more room than there is, each would else be made anew at every call."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._by_key: dict[Hashable, _Recording] = {}
        self._played: dict[Hashable, int] = {}  # when, by the number of the call
        self._seen: set[Hashable] = set()
        self._failed: set[Hashable] = set()
        self._calls = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def found(
        self, key: Hashable, function: Callable[..., Found], tensors: Arguments, numbers: Sequence[int]
    ) -> _Recording | None:
        """The recording for this call; None the first time, and where there is no room: then each call starts
        its operations one by one."""
        self._calls += 1
        if key not in self._by_key and key in self._seen:
            self._make(key, function, tensors, numbers)
        self._seen.add(key)
        if key in self._by_key:
            self._played[key] = self._calls
        return self._by_key.get(key)

    def _make(
        self, key: Hashable, function: Callable[..., Found], tensors: Arguments, numbers: Sequence[int]
    ) -> None:
        num_bytes = 2 * sum(x.nbytes for x in tensors if x is not None)  # what is found is as large, roughly
        room = torch.cuda.get_device_properties(tensors[0].device).total_memory // _SHARE_OF_DEVICE
        if key in self._failed or not self._make_room(room - num_bytes):
            return
        try:
            with torch.cuda.device_of(tensors[0]):
                self._by_key[key] = _Recording(function, tensors, numbers)
        except torch.cuda.OutOfMemoryError:
            self._failed.add(key)

    def _make_room(self, allowed: int) -> bool:
        """Whether no more bytes than are allowed are taken, after some were freed."""
        old = [key for key in self._by_key if self._played[key] < self._calls - _LATELY]
        for key in sorted(old, key=self._played.get):
            if self._taken() > allowed:
                del self._by_key[key]
        return self._taken() <= allowed

    def _taken(self) -> int:
        return sum(each.num_bytes for each in self._by_key.values())


_recordings = _Recordings()


def _shape(x: Tensor | None) -> Hashable:
    return None if x is None else (x.dtype, x.shape, _rows(x))


def _rows(x: Tensor) -> int:
    """How many of the first axis differ: of weights that all tasks share, one."""
    return 1 if is_shared(x) else len(x)


def _room_for(x: Tensor) -> Tensor:
    return x.new_empty(_rows(x), *x.shape[1:]).expand(x.shape)
