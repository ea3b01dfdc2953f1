"""The page Adapt on a text of 2 kB, with the meta-trained run that ships, as the browser sees it.

Both times begin with the click on Adapt: until the first coloured text is drawn, and until that of the tenth
step is; after one demo that loads torch. Idle, and beside a training.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page

from metalm.text.samples import SAMPLES_DIR
from screens.apps import running_app, training
from screens.browsers import new_page, open_browser, settled
from screens.rows import Row, row
from screens.sizes import Size

RUN = "base meta-trained"
TEXT_BYTES, STEPS = 2048, 10


def measure(size: Size) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        home, page = Path(folder) / "home", new_page(browser)
        page.set_viewport_size({"width": 1400, "height": 2400})
        with running_app(home) as app:
            _demo_seconds(page, app.url)
            yield from _rows(page, app.url, size.tries, "")
            with training(home, app):
                yield from _rows(page, app.url, size.tries, ", beside a training")


def _rows(page: Page, url: str, tries: int, where: str) -> Iterator[Row]:
    firsts, lasts = zip(*(_demo_seconds(page, url) for _ in range(tries)), strict=True)
    yield row(f"Adapt, 2 kB, shipped model: first heat map{where}", statistics.median(firsts), "s", 1)
    yield row(f"Adapt, 2 kB, shipped model: {STEPS} steps{where}", statistics.median(lasts), "s", 3)


def _demo_seconds(page: Page, url: str) -> tuple[float, float]:
    """Seconds from the click to the first coloured text, and to that of the last step."""
    page.goto(f"{url}/adapt?{urlencode({'runs': RUN, 'source': 'Paste', 'beside': 'n-gram'})}")
    box = page.get_by_label("Text", exact=True)
    text = (SAMPLES_DIR / "languages" / "hu.txt").read_text(encoding="utf-8")
    box.fill(text.encode()[:TEXT_BYTES].decode(errors="ignore"))
    box.press("Control+Enter")
    page.get_by_text("Query set", exact=True).wait_for()
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.get_by_text("Settings").click()
    steps = page.get_by_role("spinbutton", name="Adaptation steps")
    steps.fill(str(STEPS))
    steps.press("Enter")
    settled(page)
    begin = time.perf_counter()
    page.get_by_role("button", name="Adapt", exact=True).click()
    page.wait_for_selector(".view .panel", state="attached")
    first = time.perf_counter() - begin
    page.locator(".view output", has_text=f"step {STEPS} of {STEPS}").wait_for(state="attached")
    last = time.perf_counter() - begin
    page.get_by_role("button", name="Export as HTML").wait_for()  # the next one shall not run beside this one
    return first, last
