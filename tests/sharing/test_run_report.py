"""Runs as a report: the numbers of Compare, in one file whose charts live without a network."""

import json
import re

import pytest

from metalm.dashboard import compare_evidence
from metalm.errors import ConfigError, NotFoundError
from metalm.sharing.live_page import live_html
from metalm.sharing.run_report import as_text, run_report, write_report
from metalm.studies.report import Chart, Report, Section, Table

SECOND = '<second> & "co"'


@pytest.fixture(scope="module")
def report(shared_home):
    return run_report(shared_home, ["first", SECOND, "first"])


def tables(report):
    return {part.caption: part for each in report.sections for part in each.parts if isinstance(part, Table)}


def test_it_has_runs_curves_results_and_settings(report):
    assert report.title == f"Runs first, {SECOND}"
    titles = [section.title for section in report.sections]
    assert titles == [
        "Runs",
        "Learning curves",
        "Results on small · meta-validation",
        "Settings that differ",
    ]
    charts = [part for section in report.sections for part in section.parts if isinstance(part, Chart)]
    assert len(charts) == 3
    assert all(json.loads(chart.figure)["data"] and chart.alt and chart.caption for chart in charts)


def test_its_means_are_those_of_compare(report, shared_home):
    names = {run.id: run.name for run in shared_home.runs()}
    rows = shared_home.evaluations(list(names))
    [place] = compare_evidence.places(rows, list(names))
    points = compare_evidence.over_support(compare_evidence.gather(rows, place, names).tasks)
    shown = {(row[0], row[1]): row[3] for row in tables(report)["Means and medians over tasks."].rows}
    for line in points.itertuples():
        assert shown[(names.get(line.series, line.series), line.support_bytes)] == line.mean


def test_it_names_the_settings_that_differ_and_no_others(report):
    table = next(t for caption, t in tables(report).items() if caption.startswith("Only what differs"))
    assert [row[0] for row in table.rows] == ["seed"]


def test_a_finding_says_who_is_best_and_how_sure_that_is(report):
    [finding] = report.findings
    assert "needs the fewest bits per byte" in finding
    assert "on one task, which says little. unigram needs fewer still" in finding


def test_it_is_kept_as_data(report):
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_markdown_has_the_numbers_and_says_where_the_charts_are(report):
    text = as_text(report, ".md")
    assert text.count("drawn in the HTML file") == 3
    assert "| first | finished | fomaml |" in text


def test_no_name_breaks_out_of_the_page(report):
    text = live_html(report)
    assert "<second>" not in text
    assert "&lt;second&gt;" in text
    assert len(re.findall(r"<script", text)) == len(re.findall(r"</script>", text)) == 5


def test_plotly_stands_in_it_once_and_only_where_there_is_a_chart(report):
    text = live_html(report)
    assert 4_000_000 < len(text) < 6_000_000
    plain = Report(title="t", findings=(), sections=(Section(title="s", parts=("words",)),))
    assert len(live_html(plain)) < 10_000


def test_one_run_alone_and_runs_without_results_have_a_report(shared_home):
    report = run_report(shared_home, ["first"])
    assert report.title == "Run first"
    assert "There is one run only." in report.sections[-1].parts


def test_what_cannot_be_written_is_refused(shared_home, tmp_path):
    with pytest.raises(ConfigError, match="must be 1 to 56, got 0"):
        run_report(shared_home, [])
    with pytest.raises(NotFoundError, match="nothing"):
        run_report(shared_home, ["nothing"])
    with pytest.raises(ConfigError, match=r"ends in .html or .md, got '.pdf'"):
        write_report(shared_home, ["first"], tmp_path / "report.pdf")
    with pytest.raises(ConfigError, match="a place that exists"):
        write_report(shared_home, ["first"], tmp_path / "no" / "report.md")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_charts_live_without_a_network(report, browser, tmp_path, scheme):
    path = tmp_path / "report.html"
    path.write_text(live_html(report), encoding="utf-8")
    context = browser.new_context(offline=True, color_scheme=scheme)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('.chart[data-ready=yes] .plot-container').length === 3")
    background = page.evaluate("getComputedStyle(document.querySelector('.chart .main-svg')).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 21, 28)")
    assert page.locator(".chart .legendtext").first.text_content() in ("first", SECOND)
    height = "document.querySelector('.chart').getBoundingClientRect().height"
    before = page.evaluate(height)
    page.set_viewport_size({"width": 700, "height": 700})
    page.wait_for_function("document.querySelector('.chart .main-svg').getBoundingClientRect().width < 700")
    page.wait_for_timeout(300)
    assert page.evaluate(height) == before > 200
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
