"""A real chromium: how long a page takes to be drawn in it, and what comes over the wire meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
_SCREEN = {"width": 1600, "height": 1000}  # a desk's
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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=_ARGUMENTS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class BrowserAlone:
    """A browser that goes on while nobody drives it."""

    process: subprocess.Popen[bytes]
    url: str

    @contextmanager
    def driven(self) -> Iterator[BrowserContext]:
        """Its tabs, to be driven for a while. They stay open."""
        with sync_playwright() as playwright:
            browser = playwright.chromium.connect_over_cdp(self.url)
            context = browser.contexts[0]
            context.set_default_timeout(_PATIENCE)
            yield context
            browser.close()  # the connection alone: the browser was not started by it


@contextmanager
def browser_alone(*more: str) -> Iterator[BrowserAlone]:
    """A browser without a window, started as users start theirs, with `more` arguments."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        size = ",".join(map(str, _SCREEN.values()))
        own = [
            "--headless=new",
            f"--window-size={size}",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
        ]
        process = subprocess.Popen([_chromium(), *_ARGUMENTS, *own, *more], stderr=subprocess.DEVNULL)
        try:
            port = _told_port(Path(profile) / "DevToolsActivePort", process)
            yield BrowserAlone(process, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(60)


def _told_port(path: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + _PATIENCE / 1000
    while not path.exists() or not path.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the browser did not start")
        time.sleep(0.05)
    return path.read_text().splitlines()[0]


def _chromium() -> str:
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise SystemExit(f"needs one of {', '.join(_NAMES)}; `make chromium` installs it")
    return path


def new_page(browser: Browser) -> Page:
    """A tab with nothing kept from before."""
    page = browser.new_page(viewport=_SCREEN)
    page.set_default_timeout(_PATIENCE)
    return page


def new_window(context: BrowserContext) -> Page:
    """A tab in a window of its own: one behind another would not be drawn."""
    with context.expect_page() as opened:
        session = context.new_cdp_session(context.pages[0])
        session.send("Target.createTarget", {"url": "about:blank", "newWindow": True})
    return opened.value


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
