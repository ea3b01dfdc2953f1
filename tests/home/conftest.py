"""A tiny home: four texts of random words, one split, runs of a few steps."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from homes import SPLIT, ship_models, small_home, tiny_config

from metalm.home import Home

TESTS = Path(__file__).parents[1]


@pytest.fixture
def home(tmp_path):
    opened = small_home(tmp_path / "home", tmp_path / "texts")
    yield opened
    opened.close()


@pytest.fixture
def another_home(tmp_path):
    """A home without texts."""
    opened = Home.open(tmp_path / "another", doing="test", samples=False)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """(home, run, directory): a finished and evaluated run, and its bundle. Not to be changed."""
    folder = tmp_path_factory.mktemp("bundle")
    opened = small_home(folder / "home", folder / "texts")
    run = opened.create_run(tiny_config(budget__amount="4"), SPLIT, name="exported", tags=["ä"], notes="note")
    run = opened.train(run.id)
    list(opened.evaluate([run.id], support=(0, 512), steps=2))
    yield opened, opened.run(run.id), opened.export_run(run.id, folder / "exported")
    opened.close()


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """(home, run, twin, folder) of `ship_models`. Not to be changed."""
    folder = tmp_path_factory.mktemp("shipped")
    with Home.open(folder / "home", doing="test", samples=False) as opened:
        yield opened, *ship_models(opened, folder / "models"), folder / "models"


@pytest.fixture
def new_run(home):
    """A queued run of `steps` outer steps; settings with __ for the dots."""

    def create(steps=4, *, name="", init=None, **settings):
        config = replace(tiny_config(budget__amount=str(steps), **settings), init=init)
        return home.create_run(config, SPLIT, name=name)

    return create


@pytest.fixture
def stop_after():
    """(should_stop, on_report) that let a training make so many reports."""

    def stopper(reports):
        heard = []
        return lambda: len(heard) >= reports, heard.append

    return stopper


@pytest.fixture
def python():
    """Runs Python code in a process of its own, without waiting for it."""
    processes = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}", "OMP_NUM_THREADS": "1"},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()
