"""Learning curves of many runs in one chart: seconds of the server, kilobytes, and the browser.

The server's seconds are those of the whole page's script (a refresh: of its live part), as a tab sees them.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

from screens import made
from screens.apps import FedApp, fed_app
from screens.browsers import DRAWN, new_page, open_browser, seconds_until
from screens.rows import Row, row
from screens.sizes import Size
from screens.wire import Answer, Choices, Tab, timed, visited


def measure(size: Size) -> Iterator[Row]:
    """Runs of thousands of points, all of them live."""
    work = f"compare, {size.curves} runs x {size.points:,} points"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        choices = chosen(made.long_runs(home, size.curves, size.points))
        with fed_app(home, size.curves) as app:
            app.step()
            _chart(visited(app, "compare", choices))  # brings the coarse levels up to date
            firsts = [_chart(visited(app, "compare", turned(choices, at))) for at in range(1, size.tries + 1)]
            yield from timed(f"{work}: first draw", firsts, 0.5)
            yield row(f"{work}: sent first, without plotly.js", firsts[0].num_bytes / 1000, "kB", 600)
            tab = Tab(app)
            tab.open("compare", choices)
            zooms = [_chart(tab.open("compare", choices | zoomed(size.points, at))) for at in range(1, 6)]
            yield from timed(f"{work}: zoom", zooms, 0.4)
            yield row(f"{work}: sent at a zoom", statistics.median(_kilobytes(zooms)), "kB")
            tab.open("compare", choices)
            yield from _live(work, app, tab)
            tab.close()
            with open_browser() as browser:
                page, address = new_page(browser), f"{app.url}/compare?{urlencode(choices, doseq=True)}"
                seconds = [seconds_until(page, address, DRAWN) for _ in range(size.tries + 1)][1:]
            yield row(f"{work}: first drawn chart in the browser", statistics.median(seconds), "s", 2.5)


def _live(work: str, app: FedApp, tab: Tab) -> Iterator[Row]:
    """Every run has made a step since the last refresh."""
    answers = []
    for _ in range(7):
        app.step()
        answers.append(_chart(tab.refresh()))
    yield from timed(f"{work}: live refresh", answers, 0.3)
    yield row(f"{work}: sent at a refresh", statistics.median(_kilobytes(answers)), "kB", 50)


def measure_long(size: Size) -> Iterator[Row]:
    """Runs of a million points, by the coarse levels that are kept of them."""
    work = f"compare, {size.curves} runs x {size.many_points:,} points"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        choices = chosen(made.long_runs(home, size.curves, size.many_points))
        with fed_app(home, 0) as app:
            begun = _chart(visited(app, "compare", choices))
            yield row(f"{work}: first reader ever, who makes the coarse levels", begun.seconds, "s")
            firsts = [_chart(visited(app, "compare", turned(choices, at))) for at in range(1, size.tries + 1)]
            yield from timed(f"{work}: first draw", firsts, 2)
            tab = Tab(app)
            tab.open("compare", choices)
            zooms = [
                _chart(tab.open("compare", choices | zoomed(size.many_points, at))) for at in range(1, 4)
            ]
            yield from timed(f"{work}: zoom", zooms, 2)


def chosen(names: Sequence[str]) -> Choices:
    """The address of the page with these runs."""
    return {"view": "Curves", "runs": names}


def turned(choices: Choices, by: int) -> Choices:
    """The same runs in another order: nothing that is remembered of a selection helps with it."""
    runs = choices["runs"]
    return {**choices, "runs": [*runs[by:], *runs[:by]]}


def zoomed(points: int, at: int) -> Choices:
    """A twentieth of the x axis, at some tenth of it: what a reader's zoom puts into the address."""
    return {"seen.step": f"{0.1 * at * points:.9g}~{(0.1 * at + 0.05) * points:.9g}"}


def _chart(answer: Answer) -> Answer:
    assert "bidi_component" in answer.elements, f"the page must show a chart, it has {answer.elements}"
    return answer


def _kilobytes(answers: Sequence[Answer]) -> list[float]:
    return [answer.num_bytes / 1000 for answer in answers]
