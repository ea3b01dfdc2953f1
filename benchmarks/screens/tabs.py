"""Three tabs with live charts, refreshed thousands of times: how much server and browser grow.

In every round all runs make a step, then each tab refreshes and draws what is new. The tabs' own timer never
fires: rounds follow each other at once, and what it would call is called.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import psutil
from playwright.sync_api import Browser, Page, TimeoutError

from screens import made
from screens.apps import FedApp, fed_app
from screens.browsers import DRAWN, new_page, open_browser
from screens.curves import chosen
from screens.rows import Row, row
from screens.sizes import Size

TABS, RUNS, POINTS = 3, 8, 2_000
_PATIENCE, _TRIES = 20_000, 10  # milliseconds
SETTLED = 500  # refreshes after which memory should stay

# What refreshes the live part of a page every three seconds is kept instead, to be called.
HOLD_THE_TIMER = """
const every = window.setInterval;
window.setInterval = (call, wait, ...more) => {
  if (wait !== 3000) return every(call, wait, ...more);
  window.refresh = call;
  return 0;
};
"""
VERSION = "() => document.querySelector('.metalm-chart')?.dataset.version"
IS_NEWER = """(old) => {
  const version = document.querySelector('.metalm-chart')?.dataset.version;
  return version !== undefined && version !== old;
}"""


def measure(size: Size) -> Iterator[Row]:
    settled = min(SETTLED, size.refreshes // 2)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        names = made.long_runs(home, RUNS, POINTS)
        with fed_app(home, RUNS) as app, open_browser() as browser:
            app.step()
            address = f"{app.url}/compare?{urlencode(chosen(names), doseq=True)}"
            pages = [_live_page(browser, address) for _ in range(TABS)]
            _refresh(app, pages, settled)
            before = _memory(app, pages)
            _refresh(app, pages, size.refreshes - settled)
            after = _memory(app, pages)
    work = f"{TABS} tabs with live charts, {size.refreshes:,} refreshes each"
    for who, begun, ended in zip(("server", "browser"), before, after, strict=True):
        yield row(f"{work}: the {who}'s memory in the end", ended / 1e6, "MB")
        growth = 100 * (ended / begun - 1)
        yield row(f"{work}: growth of the {who}'s memory after the first {settled}", growth, "%", 10)


def _live_page(browser: Browser, address: str) -> Page:
    page = new_page(browser)
    page.add_init_script(HOLD_THE_TIMER)
    page.goto(address)
    page.wait_for_function(DRAWN)
    page.wait_for_function("() => window.refresh !== undefined")
    return page


def _refresh(app: FedApp, pages: Sequence[Page], times: int) -> None:
    for _ in range(times):
        app.step()
        versions = [page.evaluate(VERSION) for page in pages]
        for page in pages:
            page.evaluate("window.refresh()")
        for page, version in zip(pages, versions, strict=True):
            _await(page, version)


def _await(page: Page, version: str) -> None:
    """Waits for a newer chart. A tab that lost its connection for a moment asks again, as its timer would."""
    for _ in range(_TRIES):
        try:
            page.wait_for_function(IS_NEWER, arg=version, polling=10, timeout=_PATIENCE)
        except TimeoutError:
            page.evaluate("window.refresh()")
        else:
            return
    raise SystemExit(f"a tab has drawn nothing new for {_TRIES * _PATIENCE / 1000:.0f} s")


def _memory(app: FedApp, pages: Sequence[Page]) -> tuple[int, int]:
    """Bytes of the server, and of all of the browser's processes, each of which has collected its garbage."""
    for page in pages:
        page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
    server = psutil.Process(app.process.pid).memory_info().rss
    # Only what each has for itself: most of a browser's memory is shared between its processes.
    browser = (each for each in psutil.Process().children(recursive=True) if "chrom" in each.name())
    return server, sum(each.memory_full_info().uss for each in browser)
