"""docs/design.md, docs/tour.md and the colours, words and pictures that they speak of."""

import re
from pathlib import Path

import pytest
from PIL import Image

from metalm.dashboard import contents, palette

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs/design.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs/tour.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"!\[([^\]]*)\]\((tour/[^)]+)\)", TOUR)


@pytest.mark.parametrize(
    ("row", "pairs"),
    [
        ("accent", [palette.ACCENT]),
        ("text, muted text", [palette.TEXT, palette.MUTED]),
        ("neutral", [palette.NEUTRAL]),
    ],
)
def test_the_page_of_design_names_the_colours_that_there_are(row, pairs):
    line = next(line for line in DESIGN.splitlines() if line.startswith(f"| {row} |"))
    for side, cell in enumerate(line.split("|")[2:4]):
        assert re.findall(r"#[0-9a-f]{6}", cell) == [pair[side] for pair in pairs]


def test_the_page_of_design_counts_the_colours_of_runs_right():
    assert len(palette.RUNS) == 7
    assert "| runs | seven," in DESIGN


def test_the_tour_has_every_page_of_the_navigation():
    headings = re.findall(r"^## (.+)$", TOUR, flags=re.MULTILINE)
    assert {page.name for page in contents.PAGES.values() if not page.is_hidden} <= set(headings)


def test_every_picture_is_described_small_and_there():
    assert len(PICTURES) >= 10
    for told, path in PICTURES:
        picture = ROOT / "docs" / path
        assert len(told) > 15, f"{path} needs words for those who cannot see it"
        assert picture.stat().st_size < 150_000, path
        with Image.open(picture) as image:
            assert image.format == "PNG"
    assert {ROOT / "docs" / path for _, path in PICTURES} == set((ROOT / "docs/tour").glob("*.png"))
