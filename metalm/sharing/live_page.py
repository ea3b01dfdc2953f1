"""A report as one HTML file whose charts live: plotly.js stands in it once, and nothing is fetched."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from metalm.dashboard.palette import DARK_TWIN
from metalm.studies.pages import html
from metalm.studies.report import Chart, Report


def live_html(report: Report) -> str:
    """The file, 5 MB with a chart in it. It follows the reader's light or dark theme."""
    has_chart = any(isinstance(part, Chart) for section in report.sections for part in section.parts)
    return html(report, _scripts() if has_chart else ())


def _scripts() -> tuple[str, ...]:
    plotly = importlib.util.find_spec("plotly")  # not imported: only its JavaScript is wanted
    assert plotly is not None, "requirements.txt has plotly"
    library = Path(str(plotly.origin)).parent / "package_data" / "plotly.min.js"
    twins = f"const TWINS = {json.dumps({light.lower(): dark for light, dark in DARK_TWIN.items()})};"
    draw = Path(__file__).with_name("draw.js")
    return library.read_text(encoding="utf-8"), f"{twins}\n{draw.read_text(encoding='utf-8')}"
