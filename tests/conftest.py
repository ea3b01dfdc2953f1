"""Shared fixtures. One torch thread: on a busy two-core machine two threads are up to ten times slower."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
