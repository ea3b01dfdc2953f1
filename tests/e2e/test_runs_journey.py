"""The Runs page in a real browser: a filter, a baseline, a saved view, a deletion that is taken back."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def filter_by(page: Page, text: str) -> None:
    field = page.get_by_role("textbox", name="Filter")
    field.fill(text)
    field.press("Enter")


def test_runs_are_filtered_measured_kept_as_a_view_and_brought_back(app, page: Page):
    page.goto(f"{app.url}/runs")
    expect(page.get_by_text("2 runs · 0 selected")).to_be_visible()
    filter_by(page, "algoritm = joint")
    expect(page.get_by_text("no column 'algoritm' of runs; is it algorithm?")).to_be_visible()
    filter_by(page, "algorithm = joint and meta-test@512 < 5")
    expect(page.get_by_text("1 run · 0 selected")).to_be_visible()
    expect(page).to_have_url(re.compile("filter=algorithm"))

    page.get_by_role("button", name="Views", exact=True).click()
    page.get_by_label("Save what is shown as").fill("controls")
    page.get_by_role("button", name="Save view").click()
    expect(page.get_by_role("button", name="View: controls")).to_be_visible()
    page.goto(f"{app.url}/runs?saved=controls&runs=base+joint+twin")
    expect(page.get_by_text("1 run · 1 selected")).to_be_visible()

    page.get_by_role("button", name="Baseline", exact=True).click()
    expect(page.get_by_text("Baseline base joint twin")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("1 run deleted. Deleted keeps them for 30 days.")).to_be_visible()
    expect(page.get_by_text("No run matches the filter.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 run · 1 selected")).to_be_visible()

    page.goto(f"{app.url}/runs?rows=Parallel")
    chart = page.locator(".metalm-chart .scatterlayer")
    expect(chart.first).to_be_attached()
    page.goto(f"{app.url}/runs?runs=base+joint+twin&look=Lineage")
    expect(page.locator(".metalm-chart").get_by_text("base meta-trained").first).to_be_visible()


def test_a_click_on_a_row_shows_what_was_selected(shared_app, page: Page):
    for rows, told in (("Runs", "2 runs"), ("Groups", "2 groups of 2 runs")):
        page.goto(f"{shared_app.url}/runs?rows={rows}")
        expect(page.get_by_text(f"{told} · 0 selected")).to_be_visible()
        expect(page.get_by_text("Select a run to see and change it")).to_be_visible()
        # Cells are drawn on a canvas: the box before the first row is found by its place.
        page.locator(".dvn-scroller").first.click(position={"x": 20, "y": 52})
        expect(page.get_by_text(f"{told} · 1 selected")).to_be_visible()
        expect(page.get_by_role("link", name="On a page of its own")).to_be_visible()
        expect(page).to_have_url(re.compile("runs=base"))
