import pytest
import torch

from metalm.errors import ConfigError
from metalm.model.device import available, describe, pick_device


def test_auto_takes_the_first_device_that_is_here():
    assert pick_device("auto").type == available()[0]


def test_the_cpu_is_always_here_and_has_a_name_and_memory():
    description = describe(pick_device("cpu"))

    assert description.kind == "cpu"
    assert "cores" in description.name
    assert description.memory_bytes > 2**28


def test_a_device_that_is_not_here_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has cuda")
    with pytest.raises(ConfigError, match=r"device must be one that this machine has \(.*cpu\), got 'cuda'"):
        pick_device("cuda")
