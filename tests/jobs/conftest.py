"""A tiny home and a queue over it, started by the test."""

import time

import pytest
from homes import SPLIT, small_home, tiny_config

from metalm.jobs.manager import JobManager


@pytest.fixture
def home(tmp_path):
    opened = small_home(tmp_path / "home", tmp_path / "texts")
    yield opened
    opened.close()


@pytest.fixture
def jobs(home):
    manager = JobManager(home, slots=("cpu",), threads=1)
    yield manager
    manager.close()


@pytest.fixture
def new_run(home):
    """A queued run of `steps` outer steps."""

    def create(steps=3, **settings):
        return home.create_run(tiny_config(budget__amount=str(steps), **settings), SPLIT)

    return create


@pytest.fixture
def wait_until():
    """Waits until a condition holds; fails after two minutes."""

    def wait(condition, what="the condition"):
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come true"
            time.sleep(0.02)

    return wait
