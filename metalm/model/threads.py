"""Threads for work on the CPU that is cut into parts by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

_Item, _Result = TypeVar("_Item"), TypeVar("_Result")


def each(work: Callable[[_Item], _Result], items: Sequence[_Item], threads: int) -> list[_Result]:
    """`work` on every item, in their order: on this thread and on so many more that there are `threads`."""
    helpers = min(threads, len(items)) - 1
    if helpers < 1:
        return [work(item) for item in items]
    results: list[_Result | None] = [None] * len(items)
    numbers = iter(range(len(items)))  # whoever is free takes the next

    def take() -> None:
        with torch.no_grad():
            for number in numbers:
                results[number] = work(items[number])

    started = [pool(threads - 1).submit(take) for _ in range(helpers)]
    with _one_torch_thread():
        take()
    for helper in started:
        helper.result()
    return results


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Torch, called from this thread, uses no other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """So many threads, each with one torch thread: two levels of threads would fight for the cores."""
    return ThreadPoolExecutor(threads, "engine", initializer=torch.set_num_threads, initargs=(1,))
