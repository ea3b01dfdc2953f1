"""Threads for work on the CPU that is cut into parts by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """So many threads, each with one torch thread: two levels of threads would fight for the cores."""
    return ThreadPoolExecutor(threads, "engine", initializer=torch.set_num_threads, initargs=(1,))
