"""A plotly figure on a page. `st.plotly_chart` would forget the reader's zoom whenever the data change."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Protocol

import streamlit as st

from metalm.dashboard import palette
from metalm.dashboard.components import assets


class Figure(Protocol):
    """A plotly figure, which only `dashboard/charts` knows by name."""

    def to_json(self) -> str: ...


def chart(figure: Figure, *, key: str, label: str, view: str = "") -> None:
    """Draw `figure`; the next one under the same `key` replaces its data and keeps zoom and hidden lines.

    label: what it shows, for readers who cannot see it. Zoom is kept while `view` stays the same: name in
    it what changes the meaning of the axes, such as their units.
    """
    _mount()(
        key=key,
        data={
            "figure": figure.to_json(),
            "label": label,
            "view": view,
            "plotly": assets.plotly_url(),
            "twins": palette.DARK_TWIN,
        },
    )


@cache
def _mount():
    return st.components.v2.component(
        "metalm_chart",
        html="<div class='metalm-chart' role='img'></div>",
        css=".metalm-chart { width: 100%; min-height: 4rem; }\n/* two lines: one would be read as a path */",
        js=Path(__file__).with_name("chart.js").read_text(encoding="utf-8"),
        # plotly adds its style sheet to the document, where a shadow root would not see it.
        isolate_styles=False,
    )
