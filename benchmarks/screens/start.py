"""The start of the app, and how its pages feel beside a training.

A rerun is what the browser sees: from the key that asks for it (Streamlit's own `r`) to the script's end.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from screens.apps import running_app, training
from screens.browsers import new_page, open_browser, settled
from screens.rows import Row, row
from screens.sizes import Size

PAGES = ("", "corpora", "tasks", "train", "runs", "compare", "adapt")

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


def measure(size: Size) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        home, page = Path(folder) / "home", new_page(browser)
        with running_app(home) as app:
            yield row("start-up, first time, with the samples", app.seconds, "s")
        with running_app(home) as app:
            yield row("start-up, second time", app.seconds, "s", 6)
            idle = _rerun_seconds(page, app.url, size.reruns)
            yield row("a page's rerun in the browser, idle", idle, "s")
            with training(home, app):
                busy = _rerun_seconds(page, app.url, size.reruns)
        yield row("a page's rerun in the browser, beside a training", busy, "s")
        yield row("a page's rerun, beside a training to idle", busy / idle, "x", 3)


def _rerun_seconds(page: Page, url: str, reruns: int) -> float:
    """The median over reruns of every page."""
    times = []
    for name in PAGES:
        page.goto(f"{url}/{name}")
        settled(page)
        for _ in range(max(1, reruns // len(PAGES))):
            page.evaluate(WATCH)
            page.keyboard.press("r")
            times.append(page.wait_for_function("window.rerun").json_value() / 1000)
    return statistics.median(times)
