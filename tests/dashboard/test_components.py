"""Components in a real browser: plotly.js from the wheel, zoom that stays, text that is only ever text."""

import base64
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from metalm.dashboard import palette
from metalm.dashboard.components import assets
from metalm.dashboard.components.character_view import AdaptedText, _panel, bits_by_character, character_view

ROOT = Path(__file__).resolve().parents[2]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_the_bits_of_characters_add_up_to_those_of_the_bytes(text):
    num_bytes = len(text.encode())
    byte_bits = np.random.default_rng(num_bytes).random((3, num_bytes))
    bits = bits_by_character(text, byte_bits)
    assert bits.shape == (3, len(text))
    assert bits.sum(axis=1) == pytest.approx(byte_bits.sum(axis=1))


def test_bits_that_do_not_fit_the_text_are_refused():
    with pytest.raises(ValueError, match="must have 3 columns for this text, got 2"):
        bits_by_character("añ", np.zeros((1, 2)))
    with pytest.raises(ValueError, match="bits of 'run' must have 2 columns, got 3"):
        character_view("ab", [AdaptedText("run", "#3742c5", np.zeros((1, 3)), [0.0])], key="k")


def test_bits_reach_the_browser_to_the_128th_and_never_overflow():
    panel = _panel(AdaptedText("run", "#3742c5", np.array([[0.5, 1e9]]), [1.0]))
    coded = np.frombuffer(base64.b64decode(panel["bits"]), dtype="<u2")
    assert list(coded) == [64, 65535]


def test_plotly_js_is_that_of_the_installed_wheel():
    assert assets.plotly_file().stat().st_size > 1_000_000
    assert [route.path for route in assets.routes()] == [assets.plotly_url()]


PAGE = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st
from metalm.dashboard import palette
from metalm.dashboard.charts import frame
from metalm.dashboard.components.character_view import AdaptedText, character_view
from metalm.dashboard.components.chart import chart

@st.fragment(run_every=0.5)
def live():
    num = st.session_state.num = st.session_state.get("num", 20) + 1
    line = go.Scatter(x=list(range(num)), y=list(range(num)), line={"color": palette.RUNS[0][0]})
    heat = go.Heatmap(z=[[1, 2]], colorscale=palette.colour_scale(palette.SEQUENTIAL), xaxis="x2", yaxis="y2")
    figure = frame.dress(go.Figure([line, heat]), legend=False)
    figure.update_layout(xaxis2={"domain": [0.9, 1]}, yaxis2={"anchor": "x2"}, xaxis={"domain": [0, 0.8]})
    narrow = go.Figure(figure).update_layout(xaxis={"domain": [0, 1]}, xaxis2={"domain": [0, 1]})
    narrow.update_layout(yaxis={"domain": [0.6, 1]}, yaxis2={"domain": [0, 0.4]})
    figure.update_layout(meta={"narrow": narrow.layout.to_plotly_json()})
    chart(figure, key="live", label="a line that grows")

@st.fragment
def linked():
    values = np.arange(1000, dtype=np.int32)
    seen = st.session_state.get("seen")
    for name in ("left", "right"):
        figure = frame.dress(go.Figure(go.Scatter(x=values, y=values)), legend=False)
        figure.update_layout(hovermode="x")
        look = lambda seen: st.session_state.update(seen=seen)
        chart(figure, key=name, label=name, look=look, seen=seen, group="page")
    st.text(f"seen: {seen}")

st.title("page")
live()
linked()
if st.button("Forget"):
    from metalm.dashboard import state
    state.keep_sent_figure("live", st.session_state["figures"]["left"])  # of which the browser has another
text = TEXT
bits = np.stack([np.full(len(text), 8.0 / (1 + step)) for step in range(4)])
guess = {"texts": ["<i>", " "], "places": [[0, 1]] * len(text), "chances": [[0.25, 0.004]] * len(text)}
one = AdaptedText("<i>one</i>", palette.RUNS[0][0], bits, [8, 4, 2.5, 2], {0: guess, 3: guess})
character_view(text, [one], key="view")

@st.fragment(run_every=0.5)
def growing():
    num = st.session_state.steps = min(st.session_state.get("steps", 0) + 1, 6)
    few = AdaptedText("grows", palette.RUNS[1][0], np.full((num, 3), 4.0), [4.0] * num)
    character_view("abc", [few], key="growing")

growing()
"""
# Markup, RTL, CJK, an emoji of several code points, combining marks, and characters that nobody sees.
TEXT = (
    "<img src=x onerror='window.evil=1'>\\u05e9\\u05dc\\u05d5\\u05dd \\u65e5\\u672c e\\u0301 "
    "\\U0001f469\\u200d\\U0001f469\\u200d\\U0001f467 \\x00\\x1b\\u202e\\u200f\\n\\u0301x\\r\\ny"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A running app with the chart and the character view on its only page."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "page.py").write_text(PAGE.replace("TEXT", f'"{TEXT}"'), encoding="utf-8")
    (folder / "app.py").write_text(
        "import streamlit as st\nfrom metalm.dashboard.components import assets\n"
        "app = st.App('page.py', routes=assets.routes())\n"
    )
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text((ROOT / ".streamlit" / "config.toml").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server, folder / "log.txt")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(120):
        if server.poll() is not None:
            pytest.fail(log.read_text())
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"no answer from {address}")


@pytest.fixture
def page(browser, url):
    """The page, drawn; requests to other hosts are collected in `page.outside`."""
    page = browser.new_page(color_scheme="light")
    page.outside = []
    page.on(
        "request",
        lambda sent: (
            sent.url.startswith(("http://127.", "ws://127.", "data:", "blob:"))
            or page.outside.append(sent.url)
        ),
    )
    page.goto(url)
    ready = "document.querySelectorAll('.metalm-chart[data-ready]').length === 3"
    page.wait_for_function(ready, timeout=60_000)
    page.wait_for_selector(".view .panel")
    yield page
    page.close()


def chart_state(page) -> list:
    return page.evaluate(
        "(() => { const c = document.querySelector('.metalm-chart');"
        " return [c.layout.xaxis.range, c.data[0].x.length, c.data[0].line.color]; })()"
    )


@pytest.mark.browser
def test_zoom_outlives_new_data_and_a_change_of_theme(page):
    box = page.locator(".metalm-chart").first.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 200, steps=5)
    page.mouse.up()
    page.wait_for_function("document.querySelector('.metalm-chart').layout.xaxis.autorange !== true")
    zoomed, num, colour = chart_state(page)
    assert colour == "#3742c5"
    page.wait_for_function(f"document.querySelector('.metalm-chart').data[0].x.length > {num + 1}")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.querySelector('.metalm-chart').data[0].line.color === '#6ea8ff'")
    assert chart_state(page)[0] == zoomed
    scale = page.evaluate("document.querySelector('.metalm-chart').data[1].colorscale.map((stop) => stop[1])")
    assert scale == [dark for _, dark in palette.SEQUENTIAL]
    assert page.outside == []


# Width and height of the first chart whose data stand still: of its element, and of what is drawn in it.
SIZES = """() => {
    const chart = document.querySelector(".metalm-chart[aria-label='left']");
    return [chart, chart.querySelector("svg.main-svg")].flatMap((each) => {
        const { width, height } = each.getBoundingClientRect();
        return [Math.round(width), Math.round(height)];
    });
}"""


@pytest.mark.browser
def test_a_chart_keeps_its_height_when_the_width_changes(page):
    wide, height, *_ = page.evaluate(SIZES)
    for window, is_narrower in ((640, True), (1280, False), (640, True)):
        page.set_viewport_size({"width": window, "height": 700})
        drawn = f"now === drawn && (now < {wide}) === {str(is_narrower).lower()}"
        page.wait_for_function(f"() => {{ const [now, , drawn] = ({SIZES})(); return {drawn}; }}")
        page.wait_for_timeout(300)  # a second redrawing would measure what the first one left
        assert page.evaluate(SIZES)[1::2] == [height, height]


def zoom(page, label):
    plot = page.locator(f".metalm-chart[aria-label='{label}'] .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 105, steps=4)
    page.mouse.up()


@pytest.mark.browser
def test_a_range_of_x_is_told_and_shared_with_the_charts_of_the_group(page):
    ranges = "[...document.querySelectorAll('.metalm-chart')].slice(1, 3).map((c) => c.layout.xaxis.range)"
    zoom(page, "left")
    page.get_by_text("seen: (").wait_for()
    left, right = page.evaluate(ranges)
    assert left == right
    assert 350 < left[0] < 450 < 550 < left[1] < 650
    told = page.get_by_text("seen: (").inner_text()
    low, high = (float(number) for number in told.removeprefix("seen: (").removesuffix(")").split(","))
    assert [low, high] == pytest.approx(left)
    page.locator(".metalm-chart[aria-label='right'] .nsewdrag").first.dblclick()
    page.get_by_text("seen: None").wait_for()
    assert page.evaluate(ranges)[0] == page.evaluate(ranges)[1] != left


@pytest.mark.browser
def test_the_pointer_on_one_chart_is_shown_on_the_others_of_its_group(page):
    plot = page.locator(".metalm-chart[aria-label='left'] .nsewdrag").first
    plot.hover()
    told = page.locator(
        ".metalm-chart[aria-label='right'] .hoverlayer .axistext, "
        ".metalm-chart[aria-label='right'] .hoverlayer .hovertext"
    ).first
    told.wait_for()
    assert told.text_content().strip()  # the place along x
    page.mouse.move(1, 1)
    page.wait_for_function(
        "!document.querySelector(\".metalm-chart[aria-label='right'] .hoverlayer\").childElementCount"
    )


@pytest.mark.browser
def test_a_browser_that_lacks_what_a_message_builds_on_asks_for_the_whole(page):
    num = chart_state(page)[1]
    page.get_by_role("button", name="Forget").click()
    page.wait_for_function(f"document.querySelector('.metalm-chart').data[0].x.length > {num + 2}")
    page.evaluate("window.metalmFigures.clear()")
    page.wait_for_function(f"document.querySelector('.metalm-chart').data[0].x.length > {num + 4}")
    assert page.evaluate("window.metalmFigures.size") > 0  # the whole is here again, for the next to build on


@pytest.mark.browser
def test_plots_side_by_side_stand_one_below_the_other_while_the_page_is_narrow(page):
    domain = "document.querySelector('.metalm-chart').layout.xaxis.domain[1]"
    wide = page.viewport_size
    assert page.evaluate(domain) == 0.8
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_function(f"{domain} === 1")
    page.set_viewport_size(wide)
    page.wait_for_function(f"{domain} === 0.8")


@pytest.mark.browser
def test_the_slider_recolours_and_tells_the_score_without_a_rerun(page):
    first = page.locator(".text span").first
    assert page.locator(".score").first.inner_text() == "2.000 bits per byte−6.00 since step 0"
    cheap = first.evaluate("span => getComputedStyle(span).backgroundColor")
    page.locator("input[type=range]").first.focus()
    page.keyboard.press("Home")
    assert page.locator("output").first.inner_text() == "step 0 of 3"
    assert page.locator(".score").first.inner_text() == "8.000 bits per byte"
    assert first.evaluate("span => getComputedStyle(span).backgroundColor") != cheap
    page.get_by_text("Change since step 0").first.click()
    page.keyboard.press("Escape")
    assert page.locator(".view .legend").first.inner_text().replace("\n", "") == "−12+12 bits per character"


@pytest.mark.browser
def test_hover_and_arrow_keys_tell_the_bits_before_and_after(page):
    page.locator(".text span").first.hover()
    tip = page.locator(".tip").first
    assert "U+003C" in tip.inner_text()
    assert "8.00\t2.00\t−6.00\t1 in 260\t25 %" in tip.inner_text()
    assert tip.locator(".expected").all_inner_texts() == [
        "step 0 expects\n<i> 25 %\nspace 0.4 %",
        "step 3 expects\n<i> 25 %\nspace 0.4 %",
    ]
    page.locator(".view .text").first.focus()
    page.keyboard.press("ArrowRight")
    assert "U+0069" in tip.inner_text()


@pytest.mark.browser
def test_any_text_is_shown_as_text_with_its_invisible_characters(page):
    first = page.locator(".view").first
    spans = first.locator(".text span").all_inner_texts()
    assert page.evaluate("window.evil") is None
    assert page.locator(".view img, .view i").count() == 0
    assert "".join(spans).startswith("<img src=x onerror=")
    assert {"␀", "␛", "[U+202E]", "[U+200F]", "↵", "◌\u0301", "日", "e\u0301"} <= set(spans)
    assert "\U0001f469\u200d\U0001f469\u200d\U0001f467" in spans  # one family, one character
    assert first.locator(".text p").count() == 3
    assert first.locator(".name").inner_text() == "<i>one</i>"


@pytest.mark.browser
def test_steps_that_arrive_lengthen_the_slider_and_leave_the_text_where_it_is(page):
    view = page.locator(".view").nth(1)
    view.locator(".text span").first.evaluate("span => { window.kept = span; }")
    view.locator(".text").focus()
    page.keyboard.press("ArrowRight")
    expect(view.locator("output")).to_have_text("step 5 of 5")
    assert page.evaluate("window.kept.isConnected"), "the text was built anew"
    assert view.locator(".tip").is_visible()
    view.locator("input[type=range]").focus()
    page.keyboard.press("Home")
    expect(view.locator("output")).to_have_text("step 0 of 5")
