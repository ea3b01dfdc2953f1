"""What a training costs the machine: CPU, memory and GPU use, and how many torch threads it may take."""

from __future__ import annotations

import ctypes
import os

import psutil

# What OpenMP is told (GNU's counts its looks for new work, each of some nanoseconds).
SOON_ASLEEP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "4000"}
# glibc's `mallopt`: what of the heap's end stays this process's, and from what size on a block is a mapping
# of its own. A training's arrays are megabytes large; what is larger than 32 MB is mapped as before.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _MAPPED_FROM_BYTES = 512 << 20, 32 << 20


def threads_beside_the_app() -> int:
    """Torch threads of a training that shares its process with the pages: all cores but one, at least one.

    With every core taken a page's rerun takes twice as long, and the training itself crawls.
    """
    return max(1, all_cores() - 1)


def all_cores() -> int:
    """The cores that this process may use, fewer where OMP_NUM_THREADS asks for it, as torch has it."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, max(1, int(asked))) if asked.isdigit() else cores


def let_threads_sleep() -> None:
    """Makes torch's threads sleep soon while they wait for one another. To be called before torch is loaded.

    They spin for milliseconds by default: where another process wants a core, too, a step on two cores takes
    ten to seventy times as long (0.9 to 5 s for 0.07 s, measured), and that process waits as well. To sleep
    at once would cost adaptation a tenth of its time, for the next product comes in microseconds.
    """
    for name, value in SOON_ASLEEP.items():
        os.environ.setdefault(name, value)


def keep_memory() -> None:
    """Lets this process keep the memory that a step frees, up to half a gigabyte, for the next one.

    By default glibc hands large blocks back to the system, and every step touches its pages for the first
    time again: 30 000 page faults of 450 ms with preset large, 6 % of the time. Elsewhere nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no glibc
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)


class ResourceMeter:
    """Samples of what this process and the machine's first GPU are doing, from the start of the meter on."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call only sets the clock that the next one reads
        self._gpu = _first_gpu()

    def sample(self) -> dict[str, float]:
        """Use since the last call: `cpu_percent` (100 is one core) and `memory_bytes` of this process, and of
        the first GPU, where there is one, `gpu_percent` and `gpu_memory_bytes`."""
        values = {
            "cpu_percent": self._process.cpu_percent(),
            "memory_bytes": float(self._process.memory_info().rss),
        }
        return values | _gpu_use(self._gpu)


def _first_gpu() -> object | None:
    """The driver's handle of the first NVIDIA GPU, or None without a driver or a GPU."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError:
        return None


def _gpu_use(gpu: object | None) -> dict[str, float]:
    """What the driver tells of the GPU; a part of a shared one has memory but no utilisation."""
    if gpu is None:
        return {}
    import pynvml

    readings = {
        "gpu_percent": lambda: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
        "gpu_memory_bytes": lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu).used,
    }
    values = {}
    for name, read in readings.items():
        try:
            values[name] = float(read())
        except pynvml.NVMLError:
            continue
    return values
