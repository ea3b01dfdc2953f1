"""Memory: what is taken inside is seen, what was held before is not; and what the shapes say of it."""

import numpy as np
import pytest
import torch

from metalm.config import PRESETS, RunConfig
from metalm.learn.memory import PeakMemory, memory_parts
from metalm.model.fast_weights import num_weights
from metalm.model.gru import GRULM

MEGABYTE = 1 << 20


def test_the_peak_is_what_was_taken_at_once_inside():
    before = np.ones(64 * MEGABYTE, dtype=np.uint8)
    with PeakMemory(torch.device("cpu")) as memory:
        taken = np.ones(96 * MEGABYTE, dtype=np.uint8)
        assert len(taken) + len(before) == 160 * MEGABYTE
    assert 90 * MEGABYTE < memory.peak_bytes < 150 * MEGABYTE


def test_what_is_given_back_in_time_still_counts():
    with PeakMemory(torch.device("cpu")) as memory:
        for _ in range(3):  # one after another: never more than one of them
            taken = np.ones(80 * MEGABYTE, dtype=np.uint8)
            torch.zeros(400, 400) @ torch.zeros(400, 400)
            for _ in range(20):  # longer than one look
                taken += 1
            del taken
    assert 75 * MEGABYTE < memory.peak_bytes < 200 * MEGABYTE


@pytest.mark.gpu
def test_on_a_gpu_the_peak_is_what_torch_took_there():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    before = torch.ones(64 * MEGABYTE, dtype=torch.uint8, device=device)
    with PeakMemory(device) as memory:
        taken = torch.ones(96 * MEGABYTE, dtype=torch.uint8, device=device)
        del taken
    assert len(before) == 64 * MEGABYTE
    assert memory.peak_bytes == 96 * MEGABYTE


def test_what_goes_wrong_inside_goes_on_and_the_watch_ends():
    memory = PeakMemory(torch.device("cpu"))
    with pytest.raises(ZeroDivisionError), memory:
        _ = 1 / 0
    assert memory.peak_bytes >= 0


@pytest.mark.parametrize("algorithm", ["joint", "fomaml", "maml", "imaml", "reptile", "sequential"])
@pytest.mark.parametrize("preset", ["tiny", "large"])
def test_memory_of_the_shapes_grows_with_the_network(config, algorithm, preset):
    asked = RunConfig(algorithm=config(algorithm).algorithm, model=PRESETS[preset])
    weights = num_weights(GRULM(asked.model, 256))
    parts = memory_parts(asked, 256, weights)
    assert parts["slow weights, their gradient, the best so far"] == 12 * weights
    assert all(size >= 0 for size in parts.values())
    assert (parts["optimiser"] == 0) == (algorithm == "reptile")
    assert ("fast weights" in parts) == (algorithm not in ("joint", "sequential"))


@pytest.mark.parametrize("algorithm", ["fomaml", "reptile", "anil"])
def test_more_tasks_are_held_where_only_the_end_of_adaptation_is_kept(config, algorithm):
    def fast(tasks):
        first_order = {"anil.first_order": "true"} if algorithm == "anil" else {}
        asked = config(algorithm, **{"drawing.meta_batch": str(tasks)}, **first_order)
        return memory_parts(asked, 256, 1000)["fast weights"]

    assert fast(16) == 4 * fast(2)


def test_second_order_holds_the_weights_of_every_step(config):
    def fast(steps, algorithm):
        asked = config(algorithm, **{"inner.steps": str(steps)})
        return memory_parts(asked, 256, 1000)["fast weights"]

    assert fast(9, "maml") > fast(3, "maml")
    assert fast(9, "fomaml") == fast(3, "fomaml")
    assert fast(9, "imaml") == fast(3, "imaml")
