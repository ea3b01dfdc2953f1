"""What a training costs, and how many threads it may take."""

import platform
import subprocess
import sys

import pytest

from metalm.jobs.resources import ResourceMeter, all_cores, threads_beside_the_app

_STEPS_OF_A_TRAINING = """
import resource, sys
import numpy as np
from metalm.jobs.resources import keep_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    held = [np.ones(2 << 20) for _ in range(8)]  # 16 MB each

if sys.argv[1] == "keep":
    keep_memory()
step()
before = faults()
step()
print(faults() - before)
"""


def test_a_core_is_left_for_the_pages_where_there_are_two():
    assert threads_beside_the_app() == max(1, all_cores() - 1)
    assert all_cores() >= 1


def test_a_sample_holds_the_use_of_this_process():
    sample = ResourceMeter().sample()
    assert sample["memory_bytes"] > 1_000_000
    assert sample["cpu_percent"] >= 0
    assert set(sample) in (
        {"cpu_percent", "memory_bytes"},
        {"cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes"},
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is another one")
def test_a_step_finds_the_memory_of_the_one_before():
    def faults(how: str) -> int:
        command = [sys.executable, "-c", _STEPS_OF_A_TRAINING, how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert faults("keep") < 100 < faults("leave")
