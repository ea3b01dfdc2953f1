"""Apps to look at: as users start them, or with runs that go on by themselves; and a training beside one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUSY = {
    "split": "languages",
    "algorithm": "fomaml",
    "preset": "small",
    "steps": "1000000",
    "name": "benchmark",
}
_PATIENCE = 300.0


@dataclass(frozen=True)
class App:
    """A running app: its address, its process, and the seconds until it answered."""

    url: str
    process: subprocess.Popen[str]
    seconds: float


@contextmanager
def running_app(home: Path) -> Iterator[App]:
    """`python -m metalm app` on a free port."""
    with _serving(["metalm", "app", "--port"], home) as app:
        yield app


class FedApp(App):
    """An app whose runs go on when it is told."""

    def step(self) -> None:
        """Every live run makes one more outer step; over when it can be read."""
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line == "stepped\n":
                return
        raise SystemExit(f"the app ended with exit code {self.process.wait()}")


@contextmanager
def fed_app(home: Path, runs: int) -> Iterator[FedApp]:
    """The same app, and `runs` of the home's runs in it that go on when they are told: see fed.py."""
    with _serving(["screens.fed", str(runs)], home) as app:
        yield FedApp(app.url, app.process, app.seconds)


@contextmanager
def _serving(command: Sequence[str], home: Path) -> Iterator[App]:
    port = free_port()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *command, str(port)],
        cwd=ROOT,
        env={**os.environ, "METALM_HOME": str(home), "PYTHONPATH": str(ROOT / "benchmarks")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/_stcore/health", process)
        yield App(url, process, time.perf_counter() - begin)
    finally:
        process.stdin.close()
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen, patience: float = _PATIENCE) -> None:
    """Until `url` answers. Ends this program when the server has ended, or takes too long."""
    deadline = time.monotonic() + patience
    while fetched(url) is None:
        if process.poll() is not None:
            raise SystemExit(f"the server of {url} ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise SystemExit(f"{url} did not answer in {patience:g} s")
        time.sleep(0.05)


def fetched(url: str) -> str | None:
    """What `url` answers; None while it does not, or not well."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


@contextmanager
def training(home: Path, app: App) -> Iterator[None]:
    """A run in training beside the app, on the cores that it is given; under way when this begins."""
    settings = [word for name, value in BUSY.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "metalm", "--home", str(home)]
    process = subprocess.Popen(
        [*command, "train", *settings], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + _PATIENCE
        while "metalm_run_tokens_per_second{" not in (fetched(f"{app.url}/metrics") or ""):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the training that should go on beside the app does not")
            time.sleep(0.5)
        yield
    finally:
        subprocess.run([*command, "runs", "stop", BUSY["name"]], cwd=ROOT, check=True, capture_output=True)
        process.wait(60)
