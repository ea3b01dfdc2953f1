"""Three tabs with live charts, refreshed thousands of times: how much server and browser grow.

In every round all runs make a step, then each tab refreshes and draws what is new. The tabs' own timer
never fires: rounds follow each other at once, and what it would call is called. Nobody drives the browser
meanwhile, as nobody does for a reader: what a driver sends to a page and listens to there would be measured
as the page's own. A script in each tab asks a small server for the next round, which begins when all tabs
have asked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread
from urllib.parse import urlencode

import psutil

from screens import made
from screens.apps import FedApp, fed_app
from screens.browsers import DRAWN, BrowserAlone, browser_alone, new_window
from screens.curves import chosen
from screens.rows import Row, row
from screens.sizes import Size

TABS, RUNS, POINTS = 3, 8, 2_000
SETTLED = 500  # refreshes after which memory should stay
_PATIENCE = 300.0  # seconds that a round may take

# What refreshes the live part of a page every three seconds is kept instead, to be called.
HOLD_THE_TIMER = """
const every = window.setInterval;
window.setInterval = (call, wait, ...more) => {
  if (wait !== 3000) return every(call, wait, ...more);
  window.refresh = call;
  return 0;
};
"""
# Asks for what to do, for ever. A tab that lost its connection for a moment refreshes again, as by its timer.
ROUNDS = """(url) => {
  const version = () => document.querySelector('.metalm-chart')?.dataset.version;
  const pause = (wait) => new Promise((over) => setTimeout(over, wait));
  const rounds = async () => {
    for (;;) {
      const told = await (await fetch(url, { cache: 'no-store' })).text(); // or one tab waits for another
      if (told === 'collect') {
        window.gc();
        continue;
      }
      const old = version();
      for (let waited = 0; version() === undefined || version() === old; waited += 10) {
        if (waited % 20000 === 0) window.refresh();
        await pause(10);
      }
    }
  };
  rounds();
}"""


def measure(size: Size) -> Iterator[Row]:
    settled = min(SETTLED, size.refreshes // 2)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        names = made.long_runs(home, RUNS, POINTS)
        collects = "--js-flags=--expose-gc"
        with fed_app(home, RUNS) as app, _rounds() as rounds, browser_alone(collects) as browser:
            app.step()
            _open_tabs(browser, f"{app.url}/compare?{urlencode(chosen(names), doseq=True)}", rounds.url)
            rounds.make(app, settled)
            before = _memory(app, browser)
            rounds.make(app, size.refreshes - settled)
            after = _memory(app, browser)
    work = f"{TABS} tabs with live charts, {size.refreshes:,} refreshes each"
    for who, begun, ended in zip(("server", "browser"), before, after, strict=True):
        yield row(f"{work}: the {who}'s memory in the end", ended / 1e6, "MB")
        growth = 100 * (ended / begun - 1)
        yield row(f"{work}: growth of the {who}'s memory after the first {settled}", growth, "%", 10)


def _open_tabs(browser: BrowserAlone, address: str, rounds: str) -> None:
    with browser.driven() as context:
        for _ in range(TABS):
            page = new_window(context)
            page.add_init_script(HOLD_THE_TIMER)
            page.goto(address)
            page.wait_for_function(DRAWN)
            page.wait_for_function("() => window.refresh !== undefined")
            page.evaluate(ROUNDS, rounds)


class _Rounds(ThreadingHTTPServer):
    """Tells every tab what to do next, when all of them have asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked, self.told = Barrier(TABS + 1), Barrier(TABS + 1)
        self.word = ""

    def make(self, app: FedApp, times: int) -> None:
        """So many rounds, over when every tab has drawn the last one and collected its garbage."""
        for _ in range(times):
            self._tell("refresh", app)
        for _ in range(2):  # the second is told when the first is over
            self._tell("collect")

    def _tell(self, word: str, app: FedApp | None = None) -> None:
        self.asked.wait(_PATIENCE)
        if app is not None:
            app.step()
        self.word = word
        self.told.wait(_PATIENCE)


class _Answer(BaseHTTPRequestHandler):
    server: _Rounds

    def do_GET(self) -> None:  # noqa: N802 (the name that the library calls)
        self.server.asked.wait()
        self.server.told.wait()
        word = self.server.word.encode()
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(word)))
        self.end_headers()
        self.wfile.write(word)

    def log_message(self, *_: object) -> None:
        """Says nothing: a line a round would drown the rows."""


@contextmanager
def _rounds() -> Iterator[_Rounds]:
    with _Rounds() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _memory(app: FedApp, browser: BrowserAlone) -> tuple[int, int]:
    """Bytes of the server, and of all of the browser's processes, each of which has collected its garbage."""
    server = psutil.Process(app.process.pid).memory_info().rss
    # Only what each has for itself: most of a browser's memory is shared between its processes.
    chromium = psutil.Process(browser.process.pid)
    return server, sum(each.memory_full_info().uss for each in (chromium, *chromium.children(recursive=True)))
