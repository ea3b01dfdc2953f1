"""The Runs page with thousands of runs: how long its table and a filter take, server side and in a browser.

Run: `python benchmarks/dashboard_runs.py [--json] [--runs 5000]`. Needs a chromium. The runs are rows of a
home made for this, each with a config of 60 keys (its settings, and some that only take room) and a tuning;
no training takes place. A figure is the median of several tries.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from dashboard import running_app  # noqa: E402

from metalm.config import ALGORITHMS, RunConfig  # noqa: E402
from metalm.home import Home  # noqa: E402
from metalm.jobs import service  # noqa: E402
from metalm.jobs.manager import JobManager  # noqa: E402
from metalm.store.runs import Run  # noqa: E402
from metalm.store.values import new_id, now  # noqa: E402

KEYS = 60
SEEDS = 5
FILTER = "algorithm = maml and inner.lr >= 0.1 and status != failed and bits_per_byte < 3"
TARGETS = {"first table": 0.8, "filter": 0.2, "first table in the browser": 2.5}


def make_home(path: Path, num: int) -> None:
    """A home with the shipped split and `num` runs of it."""
    rng = random.Random(0)
    with Home.open(path) as home:
        split = home.splits()[0]
        runs = [_run(i, split.id, rng) for i in range(num)]
        home.store.runs.add(*runs)


def _run(i: int, split_id: str, rng: random.Random) -> Run:
    name = sorted(ALGORITHMS)[i // SEEDS % len(ALGORITHMS)]
    config = RunConfig(algorithm=ALGORITHMS[name](), seed=i % SEEDS).to_json()
    if "inner" in config["algorithm"]:
        config["algorithm"]["inner"]["lr"] = 0.001 * (1 + i // SEEDS)
    config["room"] = {f"key_{k}": k + i // SEEDS for k in range(KEYS - _size(config))}
    best = rng.uniform(2, 4)
    points = [
        {"lr": lr, "steps": steps, "bits_per_byte": best + lr * steps} for lr in (0.1, 1) for steps in (0, 5)
    ]
    return Run(
        id=new_id(),
        name=f"{name} {i // SEEDS} seed {i % SEEDS}",
        status=rng.choice(("finished", "finished", "finished", "stopped", "failed")),
        algorithm=name,
        split_id=split_id,
        seed=i % SEEDS,
        config=config,
        tags=("bench",),
        adaptation={"inner": {"steps": 5, "lr": 0.1}, "grid": points},
        created_at=now() - timedelta(minutes=i),
        step=rng.randrange(10_000),
        tokens=rng.randrange(10**9),
        seconds=rng.uniform(10, 10_000),
        progress=1.0,
        best_value=best + 0.1,
        seen=tuple(f"{k:064x}:0:100000" for k in range(30)),
    )


def _size(tree: object) -> int:
    return sum(map(_size, tree.values())) if isinstance(tree, dict) else 1


def server_seconds(path: Path, tries: int) -> Iterator[tuple[str, float]]:
    """The script of the page from its start to its end, without a browser: a visit, a filter, groups."""
    with Home.open(path) as home:
        service.use(service.Service(home=home, jobs=JobManager(home, slots=("cpu",))))
        first, filtered, grouped = [], [], []
        for i in range(tries):
            app = AppTest.from_file(str(ROOT / "pages" / "navigation.py"), default_timeout=60).run()
            app.switch_page("runs.py")
            first.append(_seconds(app))
            field = next(each for each in app.text_input if each.label == "Filter")
            field.input(f"{FILTER} and seed != {i + 7}")
            filtered.append(_seconds(app))
            assert 0 < len(app.dataframe[0].value) < 500
            next(each for each in app.button_group if "Groups" in each.options).set_value("Groups")
            grouped.append(_seconds(app))
        service.use(None)
    yield "first table", statistics.median(first)
    yield "filter", statistics.median(filtered)
    yield "groups", statistics.median(grouped)


def _seconds(app: AppTest) -> float:
    begin = time.perf_counter()
    app.run()
    assert not app.exception
    return time.perf_counter() - begin


def browser_seconds(page: Page, url: str, tries: int) -> Iterator[tuple[str, float]]:
    """From asking for the address until rows are drawn; from the filter's Enter until the count changes."""
    page.goto(f"{url}/runs")  # streamlit's own code is fetched and kept
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    first, filtered = [], []
    for _ in range(tries):
        begin = time.perf_counter()
        page.goto(f"{url}/runs")
        page.wait_for_selector("[data-testid=stDataFrame] canvas")
        page.get_by_text("of 5,0").wait_for()
        first.append(time.perf_counter() - begin)
        page.get_by_role("textbox", name="Filter").fill(FILTER)
        begin = time.perf_counter()
        page.get_by_role("textbox", name="Filter").press("Enter")
        page.get_by_text("of 5,0").wait_for(state="detached")
        filtered.append(time.perf_counter() - begin)
    yield "first table in the browser", statistics.median(first)
    yield "filter in the browser", statistics.median(filtered)


def row(work: str, value: float, num: int) -> dict[str, object]:
    target = TARGETS.get(work)
    told = {"work": f"runs page, {num:,} runs: {work}", "value": round(value, 3), "unit": "s"}
    return {**told, "target": target and f"<= {target}", "met": target is None or value <= target}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--runs", type=int, default=5000, help="how many")
    parser.add_argument("--tries", type=int, default=5, help="of which the median is taken")
    arguments = parser.parse_args()
    show: Callable[[dict[str, object]], str] = json.dumps if arguments.json else _line
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        make_home(home, arguments.runs)
        for work, value in server_seconds(home, arguments.tries):
            print(show(row(work, value, arguments.runs)), flush=True)
        with running_app(home) as (url, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            for work, value in browser_seconds(browser.new_page(), url, arguments.tries):
                print(show(row(work, value, arguments.runs)), flush=True)
            browser.close()


def _line(measured: dict[str, object]) -> str:
    verdict = (
        ""
        if measured["target"] is None
        else f" (target {measured['target']}, {'met' if measured['met'] else 'MISSED'})"
    )
    return f"{measured['work']}: {measured['value']} s{verdict}"


if __name__ == "__main__":
    main()
