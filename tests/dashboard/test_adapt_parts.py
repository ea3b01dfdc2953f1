"""What a demo says and leaves: the verdict, the characters that gained, the exported page and its curves."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.dashboard import adapt_text, palette
from metalm.dashboard.adapt_export import page as export
from metalm.dashboard.adapt_gains import gains, shown
from metalm.dashboard.adapt_shown import Adapted, of_baselines
from metalm.dashboard.adapt_verdict import verdict
from metalm.dashboard.charts.still import colours, still_curves
from metalm.store.adaptations import AdaptationRecord, Sample

LENGTH = 400
QUERY = "abcd" * (LENGTH // 4)


def adapted(name="good", before=4.0, after=2.0, noise=0.3, seed=0, text=QUERY, **others):
    """A run that reads every character for about so many bits, before and after three steps."""
    drawn = np.random.default_rng(seed).normal(0, noise, (4, len(text)))
    bits = np.linspace(before, after, 4)[:, None] + drawn - drawn.mean(axis=1, keepdims=True)
    style = palette.run_styles({name: name})[name]
    size = len(text.encode())
    return Adapted(key=name, run=name, style=style, bits=bits, num_bytes=size, **others)


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (adapted(), "After 3 steps **good** needs **50 % fewer bits**: 2.0"),
        (
            adapted(before=2.0, after=3.0),
            "needs **50 % more bits**, 3.00 instead of 2.00 bits per byte: adaptation hurts",
        ),
        (adapted(after=4.0, noise=2.0), "**not surely better than before**"),
        (adapted(text="abcd"), "the text is too short to say how sure that is"),
    ],
)
def test_the_verdict_says_what_adaptation_did_and_no_more(run, told):
    query = QUERY[: run.bits.shape[1]]
    assert told in verdict([run], [], query)


def test_the_verdict_of_no_steps_claims_no_gain():
    run = adapted()
    still = Adapted(key="a", run="a", style=run.style, bits=run.bits[:1], num_bytes=LENGTH)
    line = verdict([still], [], QUERY)
    assert "Without adapting to it" in line
    assert "fewer" not in line


def test_the_verdict_speaks_of_the_best_run_and_of_what_is_beside_it():
    runs = [adapted("slow", after=3.0), adapted("quick", after=1.5, seed=1)]
    line = verdict(runs, of_baselines(["uniform"], "abc", QUERY), QUERY)
    assert line.startswith("After 3 steps **quick**")
    assert "it is ahead of **slow** by 1.5" in line
    assert "it is ahead of the uniform baseline by 6.5" in line
    assert line.count("95 % interval") == 3
    assert "\n" not in line


def test_runs_that_cannot_be_told_apart_are_not():
    runs = [adapted("one", noise=2.0), adapted("two", noise=2.0, seed=1)]
    assert "there is no sure difference" in verdict(runs, [], QUERY)


def test_a_baseline_that_is_better_is_said_to_be():
    beside = of_baselines(["n-gram", "uniform"], QUERY, QUERY)
    line = verdict([adapted(after=3.0)], beside, QUERY)
    assert line.startswith("After 3 steps **good** is **still worse than the n\\-gram baseline**, by 3.0")
    assert "adaptation saves 1.00 (95 % interval" in line
    assert "fewer" not in line
    hurt = verdict([adapted(before=2.0, after=3.0)], beside, QUERY)
    assert "is **worse than the n\\-gram baseline**" in hurt
    assert "adaptation hurts" in hurt
    two = verdict([adapted("slow", after=3.0), adapted("quick", after=1.5, seed=1)], beside, QUERY)
    assert two.index("**quick** is **still worse") < two.index("it is ahead of **slow**")


def test_a_baseline_of_a_text_too_short_is_named_without_a_claim():
    text = "abcd"
    line = verdict([adapted(text=text)], of_baselines(["n-gram"], QUERY, text), text)
    assert "too short to say how sure that is; the n\\-gram baseline needs fewer, 0.00" in line


def test_the_subject_of_the_verdict_stays_the_same_while_steps_arrive():
    runs = [adapted("slow", after=3.0), adapted("quick", after=1.5, seed=1)]
    for step in range(1, 4):
        here = [replace(one, bits=one.bits[:step]) for one in runs]
        line = verdict(here, [], QUERY, is_live=True)
        assert "**slow**" in line
        assert "**quick**" not in line
        assert line.endswith("which run is best is told at the end.")
    assert verdict(runs, [], QUERY, is_live=True).startswith("So far, after 3 steps, **slow** needs")
    assert verdict(runs, [], QUERY).startswith("After 3 steps **quick**")


def test_names_are_no_markdown():
    assert "**a\\*\\*b**" in verdict([adapted("a**b")], [], QUERY)


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
def test_what_characters_gained_adds_up_to_what_the_text_did(text):
    bits = np.random.default_rng(len(text)).random((3, len(text)))
    found = gains(text, bits)
    assert found["saved"].sum() == pytest.approx((bits[0] - bits[-1]).sum())
    assert list(found["saved"]) == sorted(found["saved"], reverse=True)
    assert "".join(found["character"]).__len__() <= len(text)


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("नमस्ते", ["न", "म", "स्ते"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("e\u0301e", ["e\u0301", "e"]),
        ("👩‍👩‍👧🏳️‍🌈👍🏽", ["👩‍👩‍👧", "🏳️‍🌈", "👍🏽"]),
        ("שָׁל", ["שָׁ", "ל"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
    ],
)
def test_a_character_is_what_readers_take_for_one(text, characters):
    found = gains(text, np.ones((2, len(text))))
    assert sorted(found["character"]) == sorted(characters)


@pytest.mark.parametrize(
    ("character", "seen"),
    [(" ", "space"), ("\n", "↵"), ("\u202e", "U+202E"), ("\u0301", "◌\u0301"), ("猫", "猫")],
)
def test_every_character_can_be_seen(character, seen):
    assert shown(character) == seen


NASTY = "</script><img src=x onerror=alert(1)> שלום & नमस्ते\n"


@pytest.fixture
def exported():
    """The page of a nasty text that two runs adapted to."""
    query = NASTY * 8
    sample = {"prompt": "", "text": NASTY, "temperature": 0.8, "seed": 3}
    samples = [Sample(run="r", adaptation_step=step, **sample) for step in (0, 3)]
    guess = {"texts": ["<b>"], "places": [[0]] * len(query), "chances": [[0.25]] * len(query)}
    runs = [
        adapted("<i>one</i>", text=query, samples=samples, guesses={0: guess, 3: guess}),
        adapted("two", text=query, seed=1),
    ]
    record = AdaptationRecord(
        run="r", name=NASTY, support=NASTY, query=query, adaptation={}, created_at=datetime.now(UTC)
    )
    return export(record, runs, ["n-gram"])


def test_an_exported_page_needs_nothing_and_escapes_everything(exported):
    assert "<img" not in exported
    assert "<i>one</i>" not in exported
    assert not re.search(r"""(src|href)=["']|url\(|@import|https?://""", exported)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', exported, re.S)
    assert json.loads(data[1])["text"] == NASTY * 8


def test_an_exported_page_says_that_the_demo_was_stopped(exported):
    assert "Stopped" not in exported
    record = AdaptationRecord(run="r", name="clocks", support="abc", query=QUERY, adaptation={})
    whole = adapted("<i>whole</i>", seed=1)
    assert "<p>Stopped after 3 of 60 steps:" in export(record, [adapted(stopped_after=(3, 60))], [])
    both = export(record, [adapted(stopped_after=(3, 60)), whole], [])
    assert "<p>Stopped: good after 3 of 60 steps:" in both


@pytest.mark.browser
def test_an_exported_page_lives_in_a_browser_without_a_network(exported, browser, tmp_path):
    file = tmp_path / "demo.html"
    file.write_text(exported, encoding="utf-8")
    page = browser.new_page(offline=True, color_scheme="light")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector(".view .panel")
    assert page.locator(".view .panel").count() == 3
    assert page.locator(".view output").inner_text() == "step 3 of 3"
    tops = "texts => texts.map(text => text.getBoundingClientRect().top)"
    page.set_viewport_size({"width": 1180, "height": 900})
    assert len(set(page.locator(".view .panel .text").evaluate_all(tops))) == 1
    page.locator(".view .text span").first.hover()
    assert "step 0 expects" in page.locator(".tip").inner_text()
    assert "<b> 25 %" in page.locator(".tip").inner_text()
    light = page.locator(".view .text span").first.evaluate("span => getComputedStyle(span).backgroundColor")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "was => getComputedStyle(document.querySelector('.view .text span')).backgroundColor !== was",
        arg=light,
    )
    assert page.locator("svg.still polyline").count() == 3
    assert errors == []
    page.close()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  All happy\nfamilies are alike; each", "All happy families are alike;"),
        ("全" * 5000, "全" * 59 + "…"),
        (" \n\t ", ""),
    ],
)
def test_a_pasted_text_is_called_by_its_first_words_in_any_script(text, name):
    assert adapt_text.first_words(text) == name


def test_still_curves_draw_every_series_and_name_it():
    points = pd.DataFrame({"series": ["a", "a", "b"], "adaptation_step": [0, 1, 0], "mean": [3.0, 2.0, 2.5]})
    styles = {**palette.run_styles({"a": "<a>"}), **palette.baseline_styles(["b"])}
    svg = still_curves(points, styles, alt="two lines")
    assert svg.count("<polyline") == 2
    assert "&lt;a&gt;" in svg
    assert "<a>" not in svg
    assert 'aria-label="two lines"' in svg
    assert colours(styles, dark=False) != colours(styles, dark=True)


def test_names_of_lines_that_end_together_stand_apart():
    points = pd.DataFrame({"series": list("abc"), "adaptation_step": 0, "mean": [2.0, 2.0, 2.0]})
    svg = still_curves(points, palette.baseline_styles(list("abc")), alt="three")
    places = [float(y) for y in re.findall(r'<text x="618" y="([\d.]+)"', svg)]
    assert len(places) == 3
    assert min(np.diff(sorted(places))) >= 15
