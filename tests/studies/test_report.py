"""A report as data, as Markdown and as HTML; its figures."""

import re

import numpy as np
import pandas as pd
import pytest

from metalm.dashboard import palette
from metalm.studies import look
from metalm.studies.figures import Line, lines, matrix
from metalm.studies.pages import html, markdown
from metalm.studies.report import Report, Section, Table, read, shown, write

POINTS = pd.DataFrame({"x": [1, 2, 4], "y": [3.0, 2.0, 1.5], "low": [2.5, 1.5, 1.0], "high": [4, 3, 2]})


def figure(name="curve"):
    drawn = [Line(name="first", points=POINTS), Line(name="second", points=POINTS.assign(y=POINTS["y"] + 1))]
    return lines(
        name, drawn, x="steps", y="bits per byte", caption="Two lines.", log_x=True, mark=(2, "here")
    )


@pytest.fixture
def report():
    frame = pd.DataFrame({"task | name": ["<b>", "b"], "bits per byte": [1.25, np.nan], "tasks": [3, 12000]})
    parts = ("Words & more.", Table.of("A <caption>.", frame), figure())
    return Report(title="How?", findings=("It is <so>.",), sections=(Section(title="All", parts=parts),))


def test_a_report_is_read_as_it_was_written(report, tmp_path):
    assert read(tmp_path) is None
    write(report, tmp_path)
    assert read(tmp_path) == report
    assert (tmp_path / "figures" / "curve.svg").read_text(encoding="utf-8") == figure().svg


def test_a_figure_that_is_no_more_is_gone(report, tmp_path):
    write(report, tmp_path)
    write(Report(title="How?", findings=(), sections=()), tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []


def test_markdown_has_tables_and_links_to_the_figures(report):
    text = markdown(report)
    assert text.startswith("# How?\n\n- It is <so>.\n\n## All\n\nWords & more.\n")
    assert "| task \\| name | bits per byte | tasks |\n| --- | ---: | ---: |\n| <b> | 1.250 | 3 |\n" in text
    assert "| b | – | 12,000 |" in text
    assert "](figures/curve.svg)" in text


def test_html_escapes_text_and_fetches_nothing(report):
    text = html(report)
    assert "It is &lt;so&gt;." in text
    assert "<td>&lt;b&gt;</td>" in text
    assert "<so>" not in text
    assert text.count("<svg ") == 1
    assert not re.search(r"(src|href)=\"(?!#)(?!http://www\.w3\.org)", text)


def test_figures_are_the_same_every_time_and_text_stays_text():
    assert figure().svg == figure().svg
    assert ">bits per byte</text>" in figure().svg
    assert "T00:" not in figure().svg


def test_two_figures_of_a_page_share_no_name():
    parts = (figure("one"), figure("two"))
    text = html(Report(title="", findings=(), sections=(Section(title="", parts=parts),)))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 10
    assert {name[1:] for name in re.findall(r'(?:href="|url\()(#[^")]+)', text)} <= set(ids)


def test_a_matrix_tells_every_number_and_leaves_gaps():
    table = pd.DataFrame([[0.1, -0.2], [np.nan, 0.0]], index=["a", "b"], columns=["c", "d"])
    drawn = matrix("m", table, x="test", y="train", caption="Difference", is_difference=True)
    told = re.findall(r">([+-]\d\.\d+)</text>", drawn.svg.replace("−", "-"))
    assert told == ["+0.100", "-0.200", "+0.000"]
    constant = matrix("c", table * 0 + 2, x="test", y="train", caption="Bits", is_difference=False)
    assert constant.svg.count(">2.00</text>") == 3


def test_colours_are_the_dashboards():
    pairs = dict([palette.BACKGROUND, palette.TEXT, palette.MUTED, palette.GRID, *palette.RUNS])
    assert pairs == look.DARK_TWIN
    assert tuple(light for light, _ in palette.SEQUENTIAL) == look.SEQUENTIAL
    assert tuple(light for light, _ in palette.DIVERGING) == look.DIVERGING


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (3, "3"),
        (12345, "12,345"),
        (2.34567, "2.346"),
        (0.01234, "0.0123"),
        (0.0, "0.000"),
        ("x", "x"),
    ],
)
def test_numbers_are_told_with_the_digits_that_matter(value, text):
    assert shown(value) == text
