"""The application as a process: it opens the home before any visitor, and leaves it in order."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from homes import SPLIT, TINY_FOMAML, small_home

from metalm.home import Home, read_owner
from metalm.operations.session import open_session

ROOT = Path(__file__).parents[1]
LONG = {"split": SPLIT, "settings": {**TINY_FOMAML, "budget.amount": "1000000"}}
SHORT = {"split": SPLIT, "settings": {**TINY_FOMAML, "budget.amount": "1"}}


@pytest.fixture
def home_dir(tmp_path):
    small_home(tmp_path / "home", tmp_path / "texts").close()
    return tmp_path / "home"


@pytest.fixture
def app(home_dir):
    """Starts an application; by `python -m metalm app`, as users do. What is left at the end is killed."""
    started = []

    def start(*, answers=True):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "metalm", "--home", str(home_dir), "app", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        while answers and not ((owner := read_owner(home_dir)) and owner.address):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def train_until(home_dir, arguments, step):
    """Launches a run in the app and goes away once it has made a step; gives its id."""
    with open_session(home_dir, doing="test") as session:
        lines = session.call("train", **arguments)
        run_id = next(lines)["run"]
        while next(lines).get("step", 0) < step:
            continue
        lines.close()
    return run_id


def queue(home_dir, arguments):
    with open_session(home_dir, doing="test") as session:
        (line,) = session.call("train", **arguments, detach=True)
    return line["run"]


def status(home_dir, run_id):
    with open_session(home_dir, doing="test") as session:
        return next(session.call("runs show", run=run_id))["status"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_what_trains_with_a_checkpoint_and_the_queue_waits(app, home_dir, number):
    process = app()
    run_id, waiting = train_until(home_dir, LONG, step=2), queue(home_dir, SHORT)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert not (home_dir / "owner.json").exists()
    with Home.open(home_dir) as home:
        assert home.run(run_id).status == "stopped"
        assert home.has_checkpoint(run_id)
        assert home.run(waiting).status == "queued"


def test_a_killed_app_leaves_an_interrupted_run_and_the_next_one_goes_on_with_the_queue(app, home_dir):
    process = app()
    run_id, waiting = train_until(home_dir, LONG, step=2), queue(home_dir, SHORT)
    process.kill()
    process.communicate()
    app()
    while status(home_dir, waiting) in ("queued", "running"):
        time.sleep(0.1)
    assert status(home_dir, waiting) == "finished"
    assert status(home_dir, run_id) == "interrupted"
    with open_session(home_dir, doing="test") as session:
        lines = session.call("runs resume", run=run_id)
        while next(lines)["event"] != "report":
            continue
        lines.close()
        assert next(session.call("runs stop", run=run_id))["event"] == "stopping"


def test_a_second_app_on_a_home_says_who_owns_it(app):
    first, second = app(), app(answers=False)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"is owned by process {first.pid} (app" in err
    assert "Traceback" not in err


def test_ctrl_c_of_a_follower_leaves_the_run_to_the_app(app, home_dir):
    app()
    words = ["train", "--split", SPLIT, "--steps", "1000000"]
    words += [word for key, value in TINY_FOMAML.items() for word in ("--set", f"{key}={value}")]
    follower = subprocess.Popen(
        [sys.executable, "-m", "metalm", "--home", str(home_dir), "--json", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that a shell began in the background ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lines = [json.loads(follower.stdout.readline()) for _ in range(3)]
    follower.send_signal(signal.SIGINT)
    _, err = follower.communicate(timeout=60)
    assert follower.returncode == 130
    assert err == "stopped following; what 'train' started goes on in the app that owns the home\n"
    assert status(home_dir, lines[0]["run"]) == "running"


def test_pages_and_api_answer_at_the_same_address(app, home_dir):
    app()
    address = read_owner(home_dir).address
    assert httpx.get(f"{address}/api/health", trust_env=False).json() == {"status": "ok"}
    assert httpx.get(address, trust_env=False).status_code == 200
    assert httpx.get(f"{address}/healthz", trust_env=False).json()["status"] == "ok"
    figures = httpx.get(f"{address}/metrics", trust_env=False)
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'metalm_runs{status="running"} 0.0' in figures.text
    assert httpx.post(f"{address}/api/call/corpora list", json={}, trust_env=False).status_code == 401
    assert (home_dir / "owner.json").stat().st_mode & 0o777 == 0o600
