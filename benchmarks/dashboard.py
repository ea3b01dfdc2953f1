"""How the dashboard feels: its start-up, and a page's rerun beside a running training against an idle one.

Run: `make bench`, or `python benchmarks/dashboard.py [--json] [--reruns 30]`. Needs a chromium.
A rerun is what the browser sees: from the key that asks for it (Streamlit's own `r`) to the script's end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
PAGES = ("", "corpora", "tasks", "train", "runs", "compare", "adapt")
BUSY = {
    "split": "languages",
    "algorithm": "fomaml",
    "preset": "small",
    "steps": "1000000",
    "name": "benchmark",
}

# Watches for one whole run of the script, and keeps its milliseconds from the moment of watching.
WATCH = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const start = performance.now();
  let running = false;
  window.rerun = null;
  const look = new MutationObserver(() => {
    const state = app.getAttribute('data-test-script-state');
    if (state !== 'notRunning') running = true;
    else if (running) { look.disconnect(); window.rerun = performance.now() - start; }
  });
  look.observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
}"""


@contextmanager
def running_app(home: Path) -> Iterator[tuple[str, float]]:
    """An app on a free port: its address, and the seconds until its first page answered."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.perf_counter()
    command = [sys.executable, "-m", "metalm", "--home", str(home), "app", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while not _answers(url):
            if process.poll() is not None:
                raise SystemExit(f"the app ended with exit code {process.returncode}")
            time.sleep(0.05)
        yield url, time.perf_counter() - begin
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def rerun_seconds(page: Page, url: str, reruns: int) -> float:
    """The median over reruns of every page."""
    times = []
    for name in PAGES:
        page.goto(f"{url}/{name}")
        _settled(page)
        for _ in range(max(1, reruns // len(PAGES))):
            page.evaluate(WATCH)
            page.keyboard.press("r")
            times.append(page.wait_for_function("window.rerun").json_value() / 1000)
    return statistics.median(times)


def _settled(page: Page) -> None:
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_timeout(1000)


def metalm(home: Path, *arguments: str) -> None:
    """A command beside the app."""
    command = [sys.executable, "-m", "metalm", "--home", str(home), *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def measure(page: Page, home: Path, reruns: int) -> Iterator[dict[str, object]]:
    with running_app(home) as (_, first):
        pass
    with running_app(home) as (url, second):
        yield row("start-up, second time (peer: first time, with the samples)", second, first, 6 / first)
        idle = rerun_seconds(page, url, reruns)
        settings = [word for name, value in BUSY.items() for word in (f"--{name}", value)]
        command = [sys.executable, "-m", "metalm", "--home", str(home), "train", *settings]
        training = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(15)
        busy = rerun_seconds(page, url, reruns)
        metalm(home, "runs", "stop", "benchmark")
        training.wait(60)
        yield row("a rerun beside a training (peer: idle)", busy, idle, 3.0)


def row(work: str, ours_s: float, peer_s: float, target: float) -> dict[str, object]:
    ratio = ours_s / peer_s
    return {
        "work": work,
        "ours_s": round(ours_s, 3),
        "peer_s": round(peer_s, 3),
        "ratio": round(ratio, 2),
        "target": f"<= {target:.2f}",
        "met": ratio <= target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--reruns", type=int, default=42, help="reruns of which the median is taken")
    arguments = parser.parse_args()
    show: Callable[[dict[str, object]], str] = json.dumps if arguments.json else _line
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for measured in measure(browser.new_page(), Path(folder) / "home", arguments.reruns):
            print(show(measured), flush=True)
        browser.close()


def _line(row: dict[str, object]) -> str:
    verdict = "met" if row["met"] else "MISSED"
    return f"{row['work']}: {row['ours_s']} s, ratio {row['ratio']} (target {row['target']}, {verdict})"


if __name__ == "__main__":
    main()
