"""A task in a real browser: from the heat map of its split to its own page, where meta-test is opened."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_way_from_a_split_to_a_task_of_meta_test(shared_app, page: Page):
    page.goto(f"{shared_app.url}/tasks?split=languages&look=Results&role=meta-test")
    heat = page.get_by_role("img", name=re.compile(r"Bits per byte of \d+ runs on 8 tasks"))
    expect(heat).to_have_attribute("data-ready", "yes")
    page.goto(f"{shared_app.url}/task?split=languages&task=el")
    expect(page.get_by_text("far", exact=True)).to_be_visible()
    steps = page.get_by_role("img", name="Bits per byte of the task over adaptation steps")
    expect(steps).to_have_attribute("data-ready", "yes")
    page.get_by_role("radio", name="Text").click()
    expect(page.get_by_text(re.compile(r"cannot forget it"))).to_be_visible()
    page.get_by_role("button", name="Open meta-test and show the text").click()
    expect(page.get_by_text(re.compile("The opening of meta-test is recorded"))).to_be_visible()
    expect(page.get_by_text(re.compile("query set that is judged"))).to_be_visible()
    expect(page).to_have_url(re.compile("look=Text"))


def test_a_run_is_seen_along_both_axes_at_an_address(shared_app, page: Page):
    page.goto(f"{shared_app.url}/run?run=base+meta-trained&look=Adaptation")
    both = page.get_by_role("img", name=re.compile("by outer step and adaptation step"))
    expect(both).to_have_attribute("data-ready", "yes")
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowLeft")
    expect(page.get_by_text(re.compile("Adaptation at outer step 200"))).to_be_visible()
