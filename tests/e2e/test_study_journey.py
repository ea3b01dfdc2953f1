"""A study in a real browser: from the question to its report, stopped on the way and gone on with."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

# Steps of milliseconds; so many that the study is stopped by the test before its first run is done.
QUICK = "model.hidden=8, model.embedding=8, joint.batch=1, joint.window=16, validation.every=0"
MORE = f"{QUICK}, validation.support_bytes=256, validation.query_bytes=256"


def fill(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Tab")


def launch(page: Page, url: str, name: str, tokens: int) -> None:
    page.goto(f"{url}/studies?view=New+study&kind=speed")
    fill(page, "Name", name)
    fill(page, "Joint tokens", str(tokens))
    fill(page, "Meta tokens", "2000")
    fill(page, "Support", "512")
    fill(page, "Beyond", "3")
    page.get_by_text("More settings").click()
    fill(page, "Joint set", MORE)
    fill(page, "Meta set", "inner.steps=1, inner.batch=1, inner.window=16, validation.every=0")
    page.get_by_role("button", name="Launch study").click()


def test_a_study_runs_from_the_page_to_its_report(app, page: Page):
    launch(page, app.url, "long", 10**9)
    expect(page.get_by_text(re.compile("0 of 3 runs finished; trains long: joint"))).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("0 of 3 runs finished; it can be resumed")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(re.compile("0 of 3 runs finished; trains long: joint"))).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("0 of 3 runs finished; it can be resumed")).to_be_visible()

    launch(page, app.url, "short", 2000)
    expect(page.get_by_text("3 of 3 runs finished", exact=True)).to_be_visible(timeout=120_000)
    expect(page.get_by_role("heading", name="How fast on a new task?")).to_be_visible()
    figures = page.get_by_role("img", name=re.compile("^bits per byte over"))
    expect(figures).to_have_count(2)
    assert all(figures.nth(i).evaluate("image => image.naturalWidth") > 0 for i in range(2))
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML").click()
    html = download.value.path().read_text(encoding="utf-8")
    assert "<h1>How fast on a new task?</h1>" in html
    report = page.context.new_page()
    requests: list[str] = []
    report.on("request", lambda request: requests.append(request.url))
    report.set_content(html)
    expect(report.locator("figure svg")).to_have_count(2)
    assert requests == [], "a report must stand by itself"
