"""Pages about tasks on a large split: 2,000 tasks, each scored by 200 evaluations.

Run: `python benchmarks/dashboard_tasks.py [--json] [--repeats 3]`. Needs a chromium.
A page counts as usable when the browser has drawn its last chart or table and the script has ended: from the
moment its address is opened, in a browser that has the app open already.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

from dashboard import running_app
from playwright.sync_api import Page, sync_playwright

from metalm.config import RunConfig
from metalm.home import Home
from metalm.store.runs import Run
from metalm.store.values import now
from metalm.text.splits import Split

TASKS, EVALUATIONS, COMPARED = 2_000, 200, 28
TARGET = 1.5
SPLIT = "large"
TASK_BYTES = 1_500
FAMILIES = ("Aa", "Bb", "Cc", "Dd", "Ee")

# A score a (run, task), before and after five steps with one support set; no two alike.
_SCORES = """
INSERT INTO evaluations
SELECT r.id, 100, m.split_id, m.role, m.task_id, 'static', 'adapt', '{"steps": 5}', 2048, 0, s.step, 0,
    ln(2) * 12288 * (2 + 0.001 * m.position + 0.01 * (hash(r.id || m.task_id) % 50) - 0.05 * s.step), 12288,
    12288, 12288, 0.1, FALSE, TIMESTAMP '2026-01-01'
FROM runs r, split_tasks m, (VALUES (0), (5)) s(step) WHERE m.role = 'meta-validation'
"""


def fill(home_dir: Path, tasks: int = TASKS, runs: int = EVALUATIONS) -> None:
    """A home with one split of so many meta-validation tasks, all scored by every run."""
    with Home.open(home_dir, doing="benchmark", samples=False) as home:
        split = _split(home, tasks)
        config = RunConfig().to_json()
        home.store.runs.add(*(_run(split, config, number) for number in range(runs)))
        home.store.flush()
        home.store.evaluations._database.execute(_SCORES)


def _split(home: Home, num: int) -> Split:
    lines = (
        f"{number:06d} a line of the text that all tasks are cut from\n" for number in range(40 * (num + 2))
    )
    path = home.path / "text.txt"
    path.write_text("".join(lines), encoding="utf-8")
    home.add_corpus(path)
    path.unlink()
    tasks = home.tasks(by="chunks", chunk_bytes=TASK_BYTES)[: num + 1]
    roles = {task.id: "meta-validation" for task in tasks[1:]} | {tasks[0].id: "meta-train"}
    marked = [_marked(task, number) for number, task in enumerate(tasks)]
    return home.freeze_split(SPLIT, marked, roles)


def _marked(task, number: int):
    family = FAMILIES[number % len(FAMILIES)]
    return type(task)(**{**asdict(task), "groups": {**task.groups, "family": family}})


def _run(split: Split, config: dict, number: int) -> Run:
    return Run(
        id=f"{number:012x}",
        name=f"run {number}",
        status="finished",
        algorithm=config["algorithm"]["name"],
        split_id=split.id,
        seed=number,
        config=config,
        created_at=now(),
        step=100,
    )


VIEWS = {
    "(for comparison) a page without any of it": ("corpora", {}),
    "the split, all runs on all tasks": ("tasks", {"split": SPLIT, "look": "Results", "by": "family"}),
    "compare, heat map": ("compare", {"view": "Tasks", "look": "Heat map", "by": "family"}),
    "compare, difference": ("compare", {"view": "Tasks", "look": "Difference"}),
    "compare, forest": ("compare", {"view": "Tasks", "look": "Forest", "by": "family"}),
    "compare, table": ("compare", {"view": "Tasks", "look": "Table"}),
    "a task": ("task", {"split": SPLIT, "task": "text/1000"}),
}

# The script has ended, and every chart that stands on the page is drawn.
USABLE = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const charts = [...document.querySelectorAll('.metalm-chart')];
  return app && app.getAttribute('data-test-script-state') === 'notRunning'
    && document.querySelector('.metalm-chart, [data-testid="stDataFrame"]')
    && charts.every((chart) => chart.dataset.ready === 'yes');
}"""


def measure(page: Page, home: Path, repeats: int) -> Iterator[dict[str, object]]:
    """A row a view: the median over repeats, after one visit that is not counted."""
    runs = [f"run {number}" for number in range(COMPARED)]
    with running_app(home) as (url, _):
        for name, (path, choices) in VIEWS.items():
            asked = {**choices, "runs": runs} if path == "compare" else choices
            address = f"{url}/{path}?{urlencode(asked, doseq=True)}"
            times = [_seconds(page, address) for _ in range(repeats + 1)][1:]
            yield row(name, statistics.median(times))


def _seconds(page: Page, address: str) -> float:
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto(address)
    page.wait_for_function(USABLE, timeout=120_000, polling=20)
    return time.perf_counter() - begin


def row(work: str, seconds: float) -> dict[str, object]:
    value = round(seconds, 2)
    return {"work": work, "value": value, "unit": "s", "target": TARGET, "met": value <= TARGET}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--repeats", type=int, default=3, help="visits of which the median is taken")
    arguments = parser.parse_args()
    show: Callable[[dict[str, object]], str] = json.dumps if arguments.json else _line
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        fill(home)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        for measured in measure(page, home, arguments.repeats):
            print(show(measured), flush=True)
        browser.close()


def _line(row: dict[str, object]) -> str:
    verdict = "met" if row["met"] else "MISSED"
    return f"{row['work']}: {row['value']} s (target <= {row['target']} s, {verdict})"


if __name__ == "__main__":
    main()
