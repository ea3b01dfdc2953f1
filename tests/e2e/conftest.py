"""A real app process on a port and a home of its own, and a real browser in front of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).parents[2]
# A busy machine is no failure: a page that never gets there is.
PATIENCE = 45_000


# Below those that the system hands out by itself: one of these could be taken by a connection meanwhile.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = iter(range(20_000 + 1000 * (_WORKER % 10), 21_000 + 1000 * (_WORKER % 10)))


def free_port() -> int:
    """A port that nobody listens on, another one each time."""
    for port in _PORTS:
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


class App:
    """`python -m metalm app` as a user starts it, its output kept in a file."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home.parent / "app.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        with self.log.open("ab") as log:
            command = [
                sys.executable,
                "-m",
                "metalm",
                "--home",
                str(self.home),
                "app",
                "--port",
                str(self.port),
            ]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, f"the app ended: {self.output()}"
            assert time.monotonic() < deadline, f"the app does not answer: {self.output()}"
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_stcore/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self, how: signal.Signals = signal.SIGINT, seconds: float = 30) -> int:
        """Sends the signal and waits for the process; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(seconds)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m metalm` beside the app, on the same home."""
        command = [sys.executable, "-m", "metalm", "--home", str(self.home), *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path / "home")
    yield app
    if app.process.poll() is None:
        app.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for tests that only look."""
    app = App(tmp_path_factory.mktemp("shared") / "home")
    yield app
    app.end()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield page
    context.close()
