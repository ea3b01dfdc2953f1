"""How the app behaves around its pages: news of what ended, the tour by keyboard, words that can be read."""

from __future__ import annotations

import io
import re

import pytest
from contrast import hard_to_read
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from waiting import settled

pytestmark = pytest.mark.browser

HAS_FOCUS = "name => document.activeElement.closest('button')?.innerText.includes(name) ?? false"
PATIENCE = 45_000
TRAINING = "train --split languages --algorithm fomaml --preset tiny --steps 1 --device cpu"
QUICK = "--set inner.steps=1 --set inner.batch=2 --set drawing.meta_batch=2 --set validation.every=0"
# Toasts go by themselves: what one said is kept.
KEEP_TOASTS = """
window.toasts = [];
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) for (const node of addedNodes) {
    const one = '[data-testid="stToast"]';
    const toast = node.querySelector?.(one) ?? node.closest?.(one);
    if (toast) window.toasts.push(toast.innerText);
  }
}).observe(document, { childList: true, subtree: true });
"""


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(KEEP_TOASTS)
    page.goto(url)
    settled(page)
    page.wait_for_function("Boolean(window.metalmBell?.tell)")
    return page


def test_what_ends_is_told_on_any_page_once_a_browser(app, browser: Browser):
    mine, yours = browser.new_context(), browser.new_context()
    tabs = [opened(mine, f"{app.url}/corpora"), opened(mine, f"{app.url}/studies")]
    other = opened(yours, f"{app.url}/runs")
    for number, name in enumerate(("first", "second"), start=1):
        trained = app.command(*f"{TRAINING} {QUICK} --name {name}".split())
        assert trained.returncode == 0, trained.stderr
        for page in (*tabs, other):
            page.wait_for_function("number => window.metalmBell.known >= number", arg=number)
        other.wait_for_function("name => window.toasts.some((toast) => toast.includes(name))", arg=name)
    # The second ending has come to every tab, so the first one has been told wherever it will be.
    said = [
        toast for page in tabs for toast in page.evaluate("window.toasts") if "first has finished" in toast
    ]
    assert len(said) == 1, said
    mine.close()
    yours.close()


def test_what_streamlit_marks_for_profilers_is_not_kept(app, browser: Browser):
    context = browser.new_context()
    page = opened(context, f"{app.url}/corpora")
    settled(page)  # its script has run more than once, and every run was marked
    kinds = "['mark', 'measure'].flatMap((kind) => performance.getEntriesByType(kind))"
    # As Streamlit does at the next run; counted in the same breath, for what tidies up comes at any moment.
    marked = page.evaluate(f"() => {{ performance.mark('running'); return {kinds}.length; }}")
    assert marked > 0
    assert page.wait_for_function(f"{kinds}.length === 0", timeout=10_000).json_value()
    context.close()


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until the button of this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(
            "name => document.activeElement.closest('button')?.innerText.includes(name) ?? false", name
        ):
            return
    raise AssertionError(f"Tab never comes to {name!r}")


def test_the_tour_is_taken_with_the_keyboard_alone(app, page: Page):
    page.goto(app.url)
    settled(page)
    tab_to(page, "Start the tour")
    page.keyboard.press("Enter")
    for step, name in enumerate(("Corpora", "Tasks"), start=2):
        expect(page.get_by_text(f"Tour {step - 1} of 8")).to_be_visible()
        settled(page)
        tab_to(page, f"Next: {name}")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert f"tour={step}" in page.url
    settled(page)
    tab_to(page, "End the tour")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Tour 3 of 8")).to_have_count(0)
    page.keyboard.press("Alt+g")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("slow weights").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


RICH = [
    "runs?runs=base+meta-trained",
    "run?run=base+joint+twin&look=Results",
    "compare?runs=base+meta-trained&runs=base+joint+twin&view=Tasks",
    "tasks?split=languages&look=Leakage+audit",
    "task?split=languages&task=el",
    "train?algorithm=maml",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(shared_app, browser: Browser, scheme):
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    for address in RICH:
        page.goto(f"{shared_app.url}/{address}")
        settled(page)
        assert hard_to_read(page, patience=10_000) == [], address
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_in_the_cells_of_a_heat_map_stand_out(shared_app, browser: Browser, scheme):
    context = browser.new_context(viewport={"width": 1400, "height": 1600}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(
        f"{shared_app.url}/compare?runs=base+meta-trained&runs=base+joint+twin&view=Tasks&look=Heat+map"
    )
    settled(page)
    page.locator(".metalm-chart .heatmap-label").last.scroll_into_view_if_needed()
    labels = page.eval_on_selector_all(
        ".metalm-chart .heatmap-label text",
        """texts => texts.map(text => {
            const { left, top, bottom } = text.getBoundingClientRect();
            return [getComputedStyle(text).fill, left - 3, (top + bottom) / 2];
        })""",
    )
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    seen = [(fill, x, y) for fill, x, y in labels if 0 <= x < picture.width and 0 <= y < picture.height]
    assert len({fill for fill, _, _ in seen}) == 2, "light cells and dark ones are in sight"
    for fill, x, y in seen:
        letters = tuple(map(int, re.findall(r"\d+", fill)[:3]))
        assert ratio(letters, picture.getpixel((int(x), int(y)))) >= 4.5, (fill, x, y)
    context.close()


def ratio(left: tuple[int, ...], right: tuple[int, ...]) -> float:
    """WCAG 2 contrast ratio of two colours, 0 to 255 a channel."""

    def light(colour: tuple[int, ...]) -> float:
        parts = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05

    low, high = sorted((light(left), light(right)))
    return high / low


def test_the_measure_of_contrast_has_teeth(browser: Browser):
    page = browser.new_page()
    grey = "<p style='color: #888'>too faint</p><p style='color: #767676'>just so</p>"
    page.set_content(f"{grey}<p style='color: #888; font-size: 30px'>large</p>")
    assert [line.split(": ")[1] for line in hard_to_read(page)] == ["too faint"]
    page.close()


# How far the first line of a text is from the left edge of its box and from the right one, in pixels.
MARGINS = """box => {
    const line = document.createRange();
    line.selectNodeContents(box.querySelector("code span span"));
    const pieces = [...line.getClientRects()].filter((piece, _, [first]) => piece.top < first.bottom);
    const around = box.getBoundingClientRect();
    return [
        Math.min(...pieces.map((piece) => piece.left)) - around.left,
        around.right - Math.max(...pieces.map((piece) => piece.right)),
    ];
}"""


def test_texts_are_set_the_way_their_letters_run(shared_app, page: Page):
    for task, is_from_right in {"fa": True, "de": False}.items():
        page.goto(f"{shared_app.url}/task?split=languages&task={task}&look=Text")
        settled(page)
        left, right = page.locator('[data-testid="stCode"] pre > div').first.evaluate(MARGINS)
        assert min(left, right) < 2 < max(left, right), task
        assert (right < left) == is_from_right, task
    name = page.locator('[data-testid="stMarkdownContainer"] strong').first
    assert name.evaluate("name => getComputedStyle(name).unicodeBidi") == "plaintext"
    page.goto(f"{shared_app.url}/adapt?source=Paste")
    settled(page)
    box = page.locator("textarea").first
    assert box.evaluate("box => getComputedStyle(box).unicodeBidi") == "plaintext"


def test_whoever_asks_for_reduced_motion_sees_none(shared_app, browser: Browser):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(shared_app.url)
    settled(page)
    longest = page.evaluate(
        """() => Math.max(...Array.from(document.querySelectorAll('*'),
            (element) => parseFloat(getComputedStyle(element).transitionDuration)))"""
    )
    context.close()
    assert longest < 0.001
