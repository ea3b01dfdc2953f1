"""The palette: readable on both themes, and told apart by colour-blind readers."""

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalm.dashboard import palette

# Full dichromacy in linear RGB: Machado, Oliveira and Fernandes 2009, table 1.
VISIONS = {
    "usual": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
THEMES = {"light": 0, "dark": 1}


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(left: str, right: str) -> float:
    """WCAG 2 contrast ratio, 1 to 21."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(linear(colour) @ weights) for colour in (left, right))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    cone = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return lab @ np.cbrt(cone @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISIONS)
def test_run_colours_are_told_apart_by_every_reader(theme, vision):
    seen = [oklab(np.asarray(VISIONS[vision]) @ linear(pair[THEMES[theme]])) for pair in palette.RUNS]
    nearest = min(np.linalg.norm(left - right) for left, right in itertools.combinations(seen, 2))
    assert nearest > 0.12  # 0.02 is a difference one just sees


@pytest.mark.parametrize("theme", THEMES)
def test_marks_stand_out_and_words_can_be_read_on_the_page(theme):
    i = THEMES[theme]
    marks = [*palette.RUNS, *palette.ROLES.values(), palette.NEUTRAL]
    marks += [palette.PARTS["query"], palette.PARTS["validation"]]
    assert min(contrast(pair[i], palette.BACKGROUND[i]) for pair in marks) >= 3
    for words in (palette.TEXT, palette.MUTED):
        assert contrast(words[i], palette.BACKGROUND[i]) >= 4.5
        assert contrast(words[i], palette.SURFACE[i]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_white_words_can_be_read_on_a_primary_button(theme):
    assert contrast(palette.ACCENT[THEMES[theme]], "#ffffff") >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ramp", [palette.SEQUENTIAL, palette.DIVERGING])
def test_every_step_of_a_ramp_carries_black_or_white_text(theme, ramp):
    i = THEMES[theme]
    for pair in ramp:
        assert max(contrast(pair[i], text) for text in palette.ON_RAMP) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_the_sequential_ramp_runs_one_way_in_lightness(theme):
    lightness = np.array([oklab(linear(pair[THEMES[theme]]))[0] for pair in palette.SEQUENTIAL])
    assert np.all(np.diff(lightness) * (-1 if theme == "light" else 1) > 0.02)


def test_each_light_colour_has_one_dark_twin():
    pairs = [palette.BACKGROUND, palette.SURFACE, palette.TEXT, palette.MUTED, palette.GRID, palette.BORDER]
    pairs += [palette.ACCENT, palette.NEUTRAL, *palette.RUNS]
    pairs += [*palette.PARTS.values(), *palette.ROLES.values(), *palette.SEQUENTIAL, *palette.DIVERGING]
    assert len({light for light, _ in pairs}) == len(pairs) == len(palette.DARK_TWIN)


def test_the_theme_file_and_the_palette_name_the_same_page_colours():
    root = Path(__file__).resolve().parents[2]
    themes = tomllib.loads((root / ".streamlit" / "config.toml").read_text())["theme"]
    for theme, i in THEMES.items():
        assert themes[theme]["backgroundColor"] == palette.BACKGROUND[i]
        assert themes[theme]["secondaryBackgroundColor"] == palette.SURFACE[i]
        assert themes[theme]["textColor"] == palette.TEXT[i]
        assert themes[theme]["primaryColor"] == palette.ACCENT[i]
        assert themes[theme]["linkColor"] == palette.LINK[i]


@pytest.mark.parametrize("theme", THEMES)
def test_links_code_and_grey_words_of_the_theme_can_be_read_wherever_they_stand(theme):
    root = Path(__file__).resolve().parents[2]
    told = tomllib.loads((root / ".streamlit" / "config.toml").read_text())["theme"][theme]
    pages = [told["backgroundColor"], told["secondaryBackgroundColor"]]
    pages += [told["sidebar"]["backgroundColor"], told["sidebar"]["secondaryBackgroundColor"]]
    for page in pages:
        for words in ("linkColor", "grayTextColor", "textColor"):
            assert contrast(told[words], page) >= 4.5, f"{words} {told[words]} on {page}"
    assert contrast(told["codeTextColor"], told["codeBackgroundColor"]) >= 4.5


run_ids = st.lists(st.text("0123456789abcdef", min_size=12, max_size=12), unique=True, max_size=28)


@given(run_ids)
def test_up_to_28_runs_never_look_alike(ids):
    styles = palette.run_styles({run_id: run_id for run_id in ids})
    assert len({(style.colour, style.dash) for style in styles.values()}) == len(ids)


@given(run_ids)
def test_a_run_keeps_its_style_when_another_joins_behind_it(ids):
    names = {run_id: run_id for run_id in ids}
    fewer = dict(list(names.items())[:-1])
    assert palette.run_styles(fewer).items() <= palette.run_styles(names).items()


def test_equal_names_are_told_apart_by_the_start_of_the_id():
    styles = palette.run_styles({"aaaa1111": "first", "bbbb2222": "first", "cccc3333": "other"})
    assert [style.name for style in styles.values()] == ["first (aaaa)", "first (bbbb)", "other"]
