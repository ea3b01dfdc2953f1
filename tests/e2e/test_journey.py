"""An analyst's way through the app, in a real browser: every page does its part, a run outlives its tabs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from waiting import settled

SAMPLES = Path(__file__).parents[2] / "metalm" / "samples" / "languages"
# So small that a step takes milliseconds; so many steps that the run is stopped, never finished, by the test.
TINY = "preset=tiny&inner.steps=1&inner.batch=2&inner.window=16&drawing.meta_batch=2&validation.every=200"
ENDLESS = f"{TINY}&budget.amount=1000000"
FIGURE = '[data-testid="stMetric"]'

pytestmark = pytest.mark.browser


def visit(page: Page, url: str) -> None:
    page.goto(url)
    settled(page)


def shows(page: Page, status: str) -> None:
    """Waits for a run's status; a table's cells are in the page too, but drawn on a canvas."""
    expect(page.get_by_text(status, exact=True).filter(visible=True).first).to_be_visible()


def outer_steps(page: Page) -> int:
    """The figure that the Watch view shows, once there is one. While a page is redrawn, the old one fades."""
    figure = page.locator(FIGURE, has_text="Outer steps").locator('[data-testid="stMetricValue"]').last
    expect(figure).to_have_text(re.compile(r"^[1-9]"))
    text = figure.inner_text().replace(",", "")
    return int(float(text.removesuffix("K")) * 1000) if text.endswith("K") else int(text)


def upload(page: Page, url: str, folder: Path) -> list[str]:
    """Adds six texts of one's own through the browser; their names."""
    names = []
    for language in ("de", "fr", "it", "es", "pl", "fi"):
        text = (SAMPLES / f"{language}.txt").read_text(encoding="utf-8")
        folder.joinpath(f"my-{language}.txt").write_text(text[1000:40_000], encoding="utf-8")
        names.append(f"my-{language}")
    broken = folder / "broken.txt"
    broken.write_bytes(bytes(range(256)) * 40)
    visit(page, f"{url}/corpora")
    page.get_by_role("radio", name="Add texts").click()
    settled(page)
    files = [str(folder / f"{name}.txt") for name in names]
    page.locator('input[type="file"]').first.set_input_files([*files, str(broken)])
    page.get_by_role("button", name="Add 7 files").click()
    expect(page.get_by_text("6 files read, 1 not added")).to_be_visible()
    return names


def freeze(page: Page, url: str, names: list[str]) -> None:
    """Cuts the texts into tasks and freezes a split at random."""
    chosen = "&".join(f"corpora={name}" for name in names)
    visit(page, f"{url}/tasks?view=New+split&{chosen}")
    page.get_by_role("radio", name="at random").click()
    expect(page.get_by_role("button", name="Draw")).to_be_visible()
    settled(page)
    name = page.get_by_label("Name of the split")
    name.fill("mine")
    expect(name).to_have_value("mine")
    page.get_by_role("button", name="Freeze split").click()
    expect(page.get_by_text("Split mine is frozen.")).to_be_visible()


def launch(page: Page, url: str, name: str, settings: str) -> None:
    visit(page, f"{url}/train?split=mine&{settings}")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Name", exact=True).press("Enter")
    settled(page)
    page.get_by_role("button", name="Launch run").click()
    expect(page.get_by_text("1 run in the queue.")).to_be_visible()


def resume(page: Page) -> None:
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("long one: in the queue.")).to_be_visible()


def test_from_upload_to_adaptation(app, browser: Browser, page: Page, tmp_path):
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    names = upload(page, app.url, tmp_path)
    freeze(page, app.url, names)

    launch(page, app.url, "long one", ENDLESS)
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached()
    seen = outer_steps(page)
    page.context.close()

    again = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    again.set_default_timeout(30_000)
    visit(again, f"{app.url}/train?view=Watch&watch=long+one")
    assert outer_steps(again) > seen, "the run stood still while nobody looked"
    again.get_by_role("button", name="Stop").click()
    shows(again, "stopped")
    settled(again)
    stopped_at = outer_steps(again)

    visit(again, f"{app.url}/runs?runs=long+one")
    resume(again)
    visit(again, f"{app.url}/train?view=Watch&watch=long+one")
    shows(again, "running")
    again.get_by_role("button", name="Stop").click()
    shows(again, "stopped")
    settled(again)
    assert outer_steps(again) >= stopped_at

    launch(again, app.url, "short one", f"{TINY}&budget.amount=20")
    shows(again, "finished")

    visit(again, f"{app.url}/compare?runs=long+one&runs=short+one")
    expect(again.locator(".js-plotly-plot .scatterlayer .trace").nth(1)).to_be_attached()
    expect(again.locator(".js-plotly-plot .legendtext", has_text="short one").first).to_be_visible()

    visit(again, f"{app.url}/adapt?runs=short+one&source=Paste")
    again.get_by_label("Text", exact=True).fill((SAMPLES / "hu.txt").read_text(encoding="utf-8")[:4000])
    again.get_by_label("Text", exact=True).press("Control+Enter")
    settled(again)
    again.get_by_role("button", name="Adapt", exact=True).click()
    expect(again.get_by_text("What they write")).to_be_visible(timeout=60_000)
    expect(again.get_by_role("slider").first).to_be_visible()
    assert "demo=" in again.url, "a finished adaptation must have an address"

    again.context.close()
    outside = [url for url in requests if not url.startswith((app.url, "data:", "blob:", "ws://127.0.0.1"))]
    assert not outside, f"the pages asked other hosts: {outside[:3]}"
    assert not errors, errors


def test_a_killed_app_comes_back_with_its_run_interrupted_and_resumes_it(app, page: Page, tmp_path):
    names = upload(page, app.url, tmp_path)
    freeze(page, app.url, names)
    launch(page, app.url, "long one", ENDLESS)
    seen = outer_steps(page)
    app.process.kill()
    app.process.wait()

    app.start()
    visit(page, f"{app.url}/runs?runs=long+one")
    shows(page, "interrupted")
    resume(page)
    visit(page, f"{app.url}/train?view=Watch&watch=long+one")
    shows(page, "running")
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached()
    assert outer_steps(page) > 0
    assert seen > 0


def test_ctrl_c_while_training_leaves_a_checkpoint_and_no_traceback(app, page: Page, tmp_path):
    names = upload(page, app.url, tmp_path)
    freeze(page, app.url, names)
    launch(page, app.url, "long one", ENDLESS)
    outer_steps(page)
    app.end(seconds=20)  # a hang is caught; how long it takes is measured in benchmarks/
    assert "Traceback" not in app.output(), app.output()
    shown = app.command("runs", "show", "long one", "--json")
    assert shown.returncode == 0, shown.stderr
    assert '"status": "running"' not in shown.stdout
    assert list(app.home.glob("*/checkpoint*")), "no checkpoint"


@pytest.mark.parametrize("name", ["", "corpora", "tasks", "train", "runs", "compare", "studies", "adapt"])
@pytest.mark.parametrize("look", [("light", 1400), ("dark", 420)], ids=["light-wide", "dark-narrow"])
def test_every_page_of_a_new_home_says_what_to_do(shared_app, browser: Browser, name, look):
    scheme, width = look
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    visit(page, f"{shared_app.url}/{name}")
    expect(page.get_by_role("main")).not_to_contain_text("Traceback")
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert overflow <= 0, f"the page is {overflow} px wider than the screen"
