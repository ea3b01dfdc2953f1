"""A real chromium: how long a page takes to be drawn in it, and what comes over the wire meanwhile."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# No requests of its own, and no tab that is slowed down because another one is in front.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
]
_PATIENCE = 300_000
_CODE = {"Document", "Script", "Stylesheet", "Font", "Image", "Manifest"}

# The script has ended, there is a chart or a table, and every chart is drawn.
DRAWN = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const charts = [...document.querySelectorAll('.metalm-chart')];
  return app && app.getAttribute('data-test-script-state') === 'notRunning'
    && document.querySelector('.metalm-chart, [data-testid="stDataFrame"] canvas')
    && charts.every((chart) => chart.dataset.ready === 'yes');
}"""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser without a window. Ends this program where none is installed."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise SystemExit(f"needs one of {', '.join(_NAMES)}; `make chromium` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def new_page(browser: Browser) -> Page:
    """A tab with nothing kept from before, as wide as a desk's screen."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(_PATIENCE)
    return page


def settled(page: Page) -> None:
    """The script has ended, and what it sent had a second to be drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_timeout(1000)


def seconds_until(page: Page, address: str, ready: str) -> float:
    """From asking for an address until `ready`, a function in JavaScript, says so and that is shown."""
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(ready, polling=20)
    page.evaluate("() => new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)))")
    return time.perf_counter() - begin


@contextmanager
def received(page: Page) -> Iterator[Callable[[], int]]:
    """Counts the bytes that come to a page, compressed as they come, without those of the program itself."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    total = [0]

    def add(num: float) -> None:
        total[0] += int(num)

    session.on("Network.responseReceived", lambda told: kinds.update({told["requestId"]: told["type"]}))
    session.on(
        "Network.loadingFinished",
        lambda told: kinds.get(told["requestId"]) in _CODE or add(told["encodedDataLength"]),
    )
    session.on("Network.webSocketFrameReceived", lambda told: add(_frame_bytes(told["response"])))
    yield lambda: total[0]
    session.detach()


def _frame_bytes(frame: dict) -> int:
    """Of a frame, which comes as base64 when it is binary."""
    return len(frame["payloadData"]) * (3 if frame["opcode"] == 2 else 4) // 4
