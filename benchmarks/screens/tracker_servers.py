"""Starts other trackers' servers on stores that tracker_data.py filled, as their users start them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from screens.apps import ROOT, fetched, free_port, wait_for

PACKAGES = {
    "TensorBoard": "tensorboard",
    "MLflow": "mlflow",  # mlflow-skinny has no pages
    "Aim": "aim",
    "Trackio": "trackio",
}
_VERSION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
# `trackio show` takes no port and opens a browser.
_SHOW = "import sys, trackio; trackio.show(server_port=int(sys.argv[1]), open_browser=False)"
_LOADED = 600.0


def version(python: str, tracker: str) -> str | None:
    """Of a tracker that this interpreter has; None where it has none."""
    command = [python, "-c", _VERSION, PACKAGES[tracker]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def fill(python: str, tracker: str, source: Path, place: Path) -> None:
    """Writes the tracker's own store to `place`."""
    command = [python, "-m", "screens.tracker_data", PACKAGES[tracker], str(source), str(place)]
    subprocess.run(command, cwd=ROOT, env=_environment(), check=True)


@contextmanager
def tensorboard(python: str, logs: Path, num_runs: int) -> Iterator[str]:
    """The address of a TensorBoard that has loaded all runs."""
    command = [python, "-m", "tensorboard.main", "--logdir", str(logs), "--host", "127.0.0.1"]
    with _serving([*command, "--port"], "/data/environment") as url:
        deadline = time.monotonic() + _LOADED
        while len(json.loads(fetched(f"{url}/data/runs") or "[]")) < num_runs:
            if time.monotonic() > deadline:
                raise SystemExit(f"TensorBoard did not load {num_runs} runs in {_LOADED:g} s")
            time.sleep(1)
        yield url


@contextmanager
def mlflow(python: str, place: Path) -> Iterator[str]:
    """The address of an MLflow with the store at `place`."""
    store = ["--backend-store-uri", f"sqlite:///{place / 'mlflow.db'}", "--host", "127.0.0.1"]
    with _serving([python, "-m", "mlflow", "server", *store, "--port"], "/health") as url:
        yield url


@contextmanager
def aim(python: str, repository: Path) -> Iterator[str]:
    """The address of `aim up` with this repository."""
    command = [str(Path(python).with_name("aim")), "up", "--repo", str(repository), "--host", "127.0.0.1"]
    with _serving([*command, "--yes", "--port"], "/") as url:
        yield url


@contextmanager
def trackio(python: str, place: Path) -> Iterator[str]:
    """The address of a Trackio with the projects at `place`."""
    with _serving([python, "-c", _SHOW], "/", TRACKIO_DIR=str(place)) as url:
        yield url


@contextmanager
def _serving(command: Sequence[str], path: str, **environment: str) -> Iterator[str]:
    """A server on a free port; over when it and all that it started have ended."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        process = subprocess.Popen(
            [*command, str(port)],
            cwd=folder,
            env=_environment() | environment,
            stdout=log,
            stderr=log,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{url}{path}", process)
            yield url
        finally:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    """Ends a server and what it started, helpers that would outlive it too."""
    if process.poll() is not None:
        return
    all_of_it = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for each in all_of_it:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait(60)
    psutil.wait_procs(all_of_it, timeout=60)


def _environment() -> dict[str, str]:
    """Without a word to anybody else."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return {**os.environ, **quiet, "PYTHONPATH": str(ROOT / "benchmarks")}
