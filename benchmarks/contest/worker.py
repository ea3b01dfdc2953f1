"""One side of one work, in a process of its own, so that its peak memory is its own.

Standard input: a line of JSON, what to do; then of each turn how many repetitions, and "result" at the end.
Standard output: a line of JSON for each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from statistics import fmean

import numpy as np
import torch

from contest import limit, peers, plain  # isort: skip
from contest.works import LIBRARIES, LIMIT, OURS, PLAIN, Work

# Memory that a virtual machine touches for the first time is slow, and allocators learn from what is freed.
WARM_UPS = 2


def side(who: str, work: Work) -> plain.Once:
    """Raises ImportError when it is not installed."""
    if who == OURS:
        # Only here: the others' process need not have what metalm imports.
        import_module("metalm.jobs.resources").keep_memory()  # as metalm's own entry points do
        return import_module("contest.ours").SIDES[work.kind](work)
    if who == LIMIT:
        return limit.SIDES[work.kind](work)
    return plain.SIDES[work.kind](work) if who == PLAIN else peers.SIDES[who](work)


def kernels(who: str, work: Work) -> AbstractContextManager:
    """cuDNN's GRU has no second derivative (pytorch#5261): autograd needs it off for the second order."""
    if work.second_order and who != OURS:
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def repetition(once: plain.Once, device: str) -> tuple[dict[str, float], plain.Result]:
    """Seconds until the first result, until the last, and the processor's; and the results."""
    result: plain.Result = {}
    first = 0.0
    cpu, begin = time.process_time(), time.perf_counter()
    for part in once():
        first = first or time.perf_counter() - begin
        result |= part
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "cpu_s": time.process_time() - cpu, "first_s": first}, result


def turn(once: plain.Once, device: str, repetitions: int) -> tuple[dict[str, float], plain.Result]:
    """The means over so many repetitions, one right after the other, and the results of the last."""
    found = [repetition(once, device) for _ in range(repetitions)]
    times = [times for times, _ in found]
    return {name: fmean(time[name] for time in times) for name in times[0]}, found[-1][1]


def memory_mb(device: str) -> float:
    """Peak memory: of the process, or of the tensors on a CUDA device."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def left(result: plain.Result) -> str:
    """The result as a file of arrays, by name."""
    handle, path = tempfile.mkstemp(suffix=".npz")
    os.close(handle)
    np.savez(path, **{name: tensor.detach().cpu().numpy() for name, tensor in result.items()})
    return path


def serve(job: dict[str, object], say: Callable[[object], None], orders: Iterator[str]) -> None:
    work = Work(**job["work"])
    torch.set_num_threads(job["threads"])
    if work.device == "cuda" and not torch.cuda.is_available():
        say({"absent": "not measured"})
        return
    try:
        once = side(job["who"], work)
    except ImportError as missing:
        if job["who"] not in LIBRARIES:
            raise
        say({"absent": "not installed", "why": str(missing)})
        return
    start_mb = memory_mb(work.device)
    with kernels(job["who"], work):
        for _ in range(WARM_UPS):
            times, result = repetition(once, work.device)
        device = torch.cuda.get_device_name() if work.device == "cuda" else "cpu"
        say({"start_mb": start_mb, "device": device, "about_s": times["seconds"]})
        for order in orders:
            if order.strip() == "result":
                say({"memory_mb": memory_mb(work.device), "result": left(result)})
                return
            times, result = turn(once, work.device, int(order))
            say(times)


def main() -> None:
    warnings.filterwarnings("ignore")  # of old libraries
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = sys.stderr  # a library may print
    job = json.loads(sys.stdin.readline())
    serve(job, lambda answer: print(json.dumps(answer), file=answers), iter(sys.stdin.readline, ""))


if __name__ == "__main__":
    main()
