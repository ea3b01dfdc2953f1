"""Commands as processes of their own: what signals do to a training, and what a killed one leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from homes import SPLIT, TINY_FOMAML, small_home

from metalm.home import Home

ROOT = Path(__file__).parents[2]
TRAIN = ["train", "--split", SPLIT, "--steps", "1000000"] + [
    word for key, value in TINY_FOMAML.items() for word in ("--set", f"{key}={value}")
]


@pytest.fixture
def home_dir(tmp_path):
    small_home(tmp_path / "home", tmp_path / "texts").close()
    return tmp_path / "home"


@pytest.fixture
def command(home_dir):
    """Starts a command; what is still there at the end is killed."""
    started = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "metalm", "--home", str(home_dir), "--json", *words],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def follow(process, until_step):
    """Reads the lines of a training up to a step; gives the id of its run."""
    for text in process.stdout:
        line = json.loads(text)
        if line.get("step", -1) >= until_step:
            return line["run"]
    raise AssertionError(process.stderr.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_training_with_a_checkpoint_and_no_traceback(command, home_dir, number):
    training = command(*TRAIN)
    run_id = follow(training, until_step=3)
    training.send_signal(number)
    out, err = training.communicate(timeout=60)
    last = json.loads(out.splitlines()[-1])
    assert (training.returncode, err) == (130, "")
    assert (last["event"], last["status"]) == ("ended", "stopped")
    with Home.open(home_dir) as home:
        assert home.has_checkpoint(run_id)
        assert home.run(run_id).step == last["step"] >= 3


def test_a_killed_training_is_interrupted_keeps_its_points_and_can_be_resumed(command, home_dir):
    training = command(*TRAIN)
    run_id = follow(training, until_step=3)
    time.sleep(1.5)  # points are written every second
    training.kill()
    training.communicate()
    with Home.open(home_dir) as home:
        assert home.run(run_id).status == "interrupted"
        curve = home.store.metrics.curve([run_id], "query")
        assert curve["step"].max() >= 3
        assert home.store.jobs.queue() == []
    resumed = command("runs", "resume", run_id)
    assert follow(resumed, until_step=3) == run_id
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=60)
    assert resumed.returncode == 130


def test_a_second_command_is_told_who_owns_the_home(command):
    training = command(*TRAIN)
    follow(training, until_step=1)
    other = command("runs", "list")
    out, err = other.communicate(timeout=60)
    assert (other.returncode, out) == (1, "")
    assert f"process {training.pid} (train" in err
    assert err.count("\n") == 1
    training.send_signal(signal.SIGINT)
    training.communicate(timeout=60)


def test_a_reader_that_goes_away_ends_a_command_quietly(command):
    listing = command("corpora", "list")
    listing.stdout.close()
    listing.stdout = None
    _, err = listing.communicate(timeout=60)
    assert "Traceback" not in err
