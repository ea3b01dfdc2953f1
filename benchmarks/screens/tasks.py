"""Pages about tasks on a large split, all of its tasks scored by hundreds of evaluations.

A page counts as usable when the browser has drawn its last chart or table and the script has ended: from the
moment its address is opened, in a browser that has the app open already.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

from metalm.config import RunConfig
from metalm.home import Home
from metalm.store.runs import Run
from metalm.store.values import now
from metalm.text.splits import Split
from metalm.text.tasks import Task
from screens.apps import running_app
from screens.browsers import DRAWN, new_page, open_browser, seconds_until
from screens.rows import Row, row
from screens.sizes import Size

COMPARED = 28
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


def measure(size: Size) -> Iterator[Row]:
    """A row a view: the median over tries, after one visit that is not counted."""
    runs = [f"run {number}" for number in range(min(COMPARED, size.evaluations))]
    work = f"split of {size.tasks:,} tasks x {size.evaluations} evaluations"
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        home, page = Path(folder) / "home", new_page(browser)
        fill(home, size.tasks, size.evaluations)
        with running_app(home) as app:
            for name, (path, choices) in _views(size).items():
                asked = {**choices, "runs": runs} if path == "compare" else choices
                address = f"{app.url}/{path}?{urlencode(asked, doseq=True)}"
                times = [seconds_until(page, address, DRAWN) for _ in range(size.tries + 1)][1:]
                target = None if path == "corpora" else 1.5
                yield row(f"{work}: {name}", statistics.median(times), "s", target)


def _views(size: Size) -> dict[str, tuple[str, dict[str, str]]]:
    """What is looked at -> the page, and the choices in its address."""
    compared = {"view": "Tasks"}
    return {
        "a task's page": ("task", {"split": SPLIT, "task": f"text/{size.tasks // 2}"}),
        "the split, all runs on all tasks": ("tasks", {"split": SPLIT, "look": "Results", "by": "family"}),
        "heat map of 28 runs": ("compare", {**compared, "look": "Heat map", "by": "family"}),
        "differences": ("compare", {**compared, "look": "Difference"}),
        "forest plot": ("compare", {**compared, "look": "Forest", "by": "family"}),
        "table": ("compare", {**compared, "look": "Table"}),
        "a page that shows nothing of it, for comparison": ("corpora", {}),
    }


def fill(home_dir: Path, tasks: int, runs: int) -> None:
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


def _marked(task: Task, number: int) -> Task:
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
