"""The page Adapt on a text of 2 kB, with the meta-trained run that ships, as the browser sees it.

Run: `python benchmarks/dashboard_adapt.py [--json] [--repeats 3]`. Needs a chromium.
Both times begin with the click on Adapt: until the first coloured text is drawn, and until that of the tenth
step is. They are the median over repeats, after one demo that loads torch; idle, and beside a training.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

from dashboard import BUSY, metalm, running_app
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from metalm.home import Home  # noqa: E402
from metalm.text.samples import SAMPLES_DIR  # noqa: E402

RUN = "base meta-trained"
TEXT_BYTES, STEPS = 2048, 10
FIRST, LAST = 1.0, 3.0


def measure(page: Page, home: Path, repeats: int) -> Iterator[dict[str, object]]:
    """The rows: idle, then beside a training of the whole machine's other core."""
    with Home.open(home, doing="benchmark") as opened:
        assert RUN in {run.name for run in opened.runs()}, "the run that ships must be there"
    with running_app(home) as (url, _):
        demo_seconds(page, url)
        yield from rows(page, url, repeats, "")
        settings = [word for name, value in BUSY.items() for word in (f"--{name}", value)]
        command = [sys.executable, "-m", "metalm", "--home", str(home), "train", *settings]
        training = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(15)
        yield from rows(page, url, repeats, ", beside a training")
        metalm(home, "runs", "stop", "benchmark")
        training.wait(60)


def rows(page: Page, url: str, repeats: int, where: str) -> Iterator[dict[str, object]]:
    times = [demo_seconds(page, url) for _ in range(repeats)]
    for work, values, target in zip(
        ("first heat map", f"{STEPS} steps"), zip(*times, strict=True), (FIRST, LAST), strict=True
    ):
        value = statistics.median(values)
        yield {
            "work": f"Adapt, 2 kB, {work}{where}",
            "value": round(value, 2),
            "unit": "s",
            "target": f"<= {target:g} s",
            "met": value <= target,
        }


def demo_seconds(page: Page, url: str) -> tuple[float, float]:
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
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_timeout(1000)
    begin = time.perf_counter()
    page.get_by_role("button", name="Adapt", exact=True).click()
    page.wait_for_selector(".view .panel", state="attached")
    first = time.perf_counter() - begin
    page.locator(".view output", has_text=f"step {STEPS} of {STEPS}").wait_for(state="attached")
    last = time.perf_counter() - begin
    page.get_by_role("button", name="Export as HTML").wait_for()  # the next one shall not run beside this one
    return first, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--repeats", type=int, default=3, help="demos of which the median is taken")
    arguments = parser.parse_args()
    show: Callable[[dict[str, object]], str] = json.dumps if arguments.json else _line
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 2400})
        page.set_default_timeout(120_000)
        for measured in measure(page, Path(folder) / "home", arguments.repeats):
            print(show(measured), flush=True)
        browser.close()


def _line(row: dict[str, object]) -> str:
    verdict = "met" if row["met"] else "MISSED"
    return f"{row['work']}: {row['value']} {row['unit']} (target {row['target']}, {verdict})"


if __name__ == "__main__":
    main()
