"""Threads for work on the CPU that is cut into parts by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from threading import Barrier, Lock
from typing import TypeVar

import torch

_Item, _Result = TypeVar("_Item"), TypeVar("_Result")
_making = Lock()


def each(work: Callable[[_Item], _Result], items: Sequence[_Item], threads: int) -> list[_Result]:
    """`work` on every item, in their order, by as many as `threads` threads; it may not come here again."""
    helpers = min(threads, len(items))
    if helpers < 2:
        return [work(item) for item in items]
    results: list[_Result | None] = [None] * len(items)
    numbers = iter(range(len(items)))  # whoever is free takes the next

    def take() -> None:
        with torch.no_grad():
            for number in numbers:
                results[number] = work(items[number])

    started = [pool(threads).submit(take) for _ in range(helpers)]
    wait(started)  # an error is raised when all have ended
    for helper in started:
        helper.result()
    return results


def use_threads(number: int) -> None:
    """Torch, called from this thread, uses so many.

    A thread takes over the number that any thread set last when it first works in parallel or asks, even
    where it has set its own before: so it asks first.
    """
    torch.get_num_threads()
    torch.set_num_threads(number)


def pool(threads: int) -> ThreadPoolExecutor:
    """So many threads, each with one torch thread: two levels of threads would fight for the cores."""
    with _making:
        return _pool(threads)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Its threads run, and torch's number of threads is again what it was: new threads begin with it."""
    before, all_here = torch.get_num_threads(), Barrier(threads)
    made = ThreadPoolExecutor(threads, "engine", initializer=use_threads, initargs=(1,))
    try:
        wait([made.submit(all_here.wait) for _ in range(threads)])
    except BaseException:
        all_here.abort()  # those that are there would wait for the rest for ever
        made.shutdown(wait=False)
        raise
    finally:
        torch.set_num_threads(before)
    return made
