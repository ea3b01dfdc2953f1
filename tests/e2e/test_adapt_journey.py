"""A demo in a real browser: live steps that outlive their page, Stop, presentation, a page to take away."""

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect
from waiting import settled

pytestmark = pytest.mark.browser

TEXT = "\n".join(
    [
        "السلام عليكم، كيف حالك اليوم؟ أحب القراءة والكتابة باللغة العربية.",
        "नमस्ते दुनिया! क्षत्रिय ज्ञान और श्री कृष्ण की भाषा हिन्दी है।",
        "สวัสดีชาวโลก ภาษาไทยมีสระและวรรณยุกต์ที่ซ้อนกัน น้ำ ที่ กำลัง",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467 family, e\u0301 accent, שָׁלוֹם עולם!",
    ]
    * 24  # long enough that the steps take their time
)
STEPS = 200


def enter(page: Page, name: str, value: str) -> None:
    """Fills a number in, and waits until the page has taken it."""
    box = page.get_by_role("spinbutton", name=name, exact=True)
    box.fill(value)
    box.press("Enter")
    settled(page)


def test_a_demo_outlives_its_page_and_is_stopped_presented_and_exported(shared_app, page: Page, tmp_path):
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    query = urlencode({"runs": "base meta-trained", "source": "Paste", "beside": "n-gram"})
    page.goto(f"{shared_app.url}/adapt?{query}")
    page.get_by_text("Settings", exact=True).click()
    enter(page, "Adaptation steps", str(STEPS))
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_role("button", name="Adapt", exact=True).click()  # it ends the typing, too

    expect(page.locator(".view .panel")).to_have_count(2)
    told = page.get_by_text(re.compile(rf"step \d+ of {STEPS} ·"))
    expect(told).to_be_visible()
    address = page.url
    assert "demo=" in address
    page.goto(f"{shared_app.url}/runs")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.goto(address)
    expect(told).to_be_visible()
    expect(page.locator(".view output")).to_have_text(re.compile(r"step ([3-9]|\d\d) of"))
    page.get_by_role("button", name="Stop").click()

    export = page.get_by_role("button", name="Export as HTML")
    expect(export).to_be_visible()
    expect(page.get_by_text(re.compile(r"Stopped after \d+ of 200 steps"))).to_be_visible()
    # The text repeats itself, and counting makes most of that.
    expect(page.get_by_text("still worse than the n-gram baseline")).to_be_visible()
    spans = page.locator(".view .text").first.locator("span").all_inner_texts()
    assert {"\U0001f469\u200d\U0001f469\u200d\U0001f467", "e\u0301", "स्ते", "ที่"} <= set(spans)
    assert "".join(spans).replace("↵", "\n") in TEXT, "every character is there once"
    arabic = page.locator(".view .text p", has_text="السلام").first
    assert arabic.evaluate("line => getComputedStyle(line).direction") == "rtl"
    with page.expect_download() as taken:
        export.click()
    taken.value.save_as(tmp_path / "demo.html")
    assert (tmp_path / "demo.html").read_text(encoding="utf-8").startswith("<!doctype html>")

    page.get_by_role("button", name="Present").click()
    expect(page.get_by_role("button", name="Leave presentation")).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    assert "present=yes" in page.url
    assert not errors, errors
