"""The Runs page with thousands of runs: its table, a filter and groups, on the server and in a browser."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from screens import made
from screens.apps import App, running_app
from screens.browsers import new_page, open_browser, seconds_until
from screens.rows import Row, row
from screens.sizes import Size
from screens.wire import Answer, Choices, Tab, timed

FILTER = "algorithm = maml and inner.lr >= 0.1 and status != failed and bits_per_byte < 3"
# What is drawn when the table is: the caption below it comes last.
SHOWN = """() => document.querySelector('[data-testid=stDataFrame] canvas')
  && [...document.querySelectorAll('p')].some((line) => line.textContent.includes('selected.'))"""

TOLD_OTHERWISE = """(before) => [...document.querySelectorAll('p')].some(
  (line) => line.innerText.includes('selected.') && line.innerText !== before)"""


def measure(size: Size) -> Iterator[Row]:
    work = f"runs page, {size.runs:,} runs with {size.keys} config keys"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        made.many_runs(home, size.runs, size.keys)
        with running_app(home) as app:
            yield from _on_the_server(work, app, size.tries)
            with open_browser() as browser:
                yield from _in_the_browser(work, new_page(browser), app.url, size.tries)


def _on_the_server(work: str, app: App, tries: int) -> Iterator[Row]:
    first, filtered, grouped = [], [], []
    for number in range(-1, tries):  # the first visitor ever, who waits for imports, does not count
        tab = Tab(app)
        first.append(_table(tab, {}))
        filtered.append(_table(tab, {"filter": f"{FILTER} and seed != {number + 7}"}))
        grouped.append(_table(tab, {"rows": "Groups"}))
        tab.close()
    yield from timed(f"{work}: first table", first[1:], 0.8)
    yield from timed(f"{work}: filter", filtered[1:], 0.2)
    yield from timed(f"{work}: groups", grouped[1:])


def _table(tab: Tab, choices: Choices) -> Answer:
    answer = tab.open("runs", choices)
    assert "dataframe" in answer.elements, f"the page must show a table, it has {answer.elements}"
    return answer


def _in_the_browser(work: str, page: Page, url: str, tries: int) -> Iterator[Row]:
    """Streamlit's own code is fetched once, and kept."""
    first, filtered = [], []
    for _ in range(-1, tries):
        first.append(seconds_until(page, f"{url}/runs", SHOWN))
        filtered.append(_filter_seconds(page))
    yield row(f"{work}: first table in the browser", statistics.median(first[1:]), "s", 2.5)
    yield row(f"{work}: filter in the browser", statistics.median(filtered[1:]), "s")


def _filter_seconds(page: Page) -> float:
    """From the filter's Enter until another number of runs is told."""
    field = page.get_by_role("textbox", name="Filter")
    field.fill(FILTER)
    before = page.get_by_text("selected.").inner_text()
    begin = time.perf_counter()
    field.press("Enter")
    page.wait_for_function(TOLD_OTHERWISE, arg=before, polling=20)
    return time.perf_counter() - begin
