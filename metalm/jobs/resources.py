"""What a training costs the machine: CPU, memory and GPU use, and how many torch threads it may take."""

from __future__ import annotations

import os

import psutil


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
    """Makes torch's threads sleep while they wait for one another. To be called before torch is loaded.

    They spin by default: where another process wants a core, too, a step on two cores takes ten to seventy
    times as long (0.9 to 5 s for 0.07 s, measured), and that process waits as well.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


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
