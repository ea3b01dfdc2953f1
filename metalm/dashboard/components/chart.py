"""A plotly figure on a page. `st.plotly_chart` would forget the reader's zoom whenever the data change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import streamlit as st

from metalm.dashboard import palette, state
from metalm.dashboard.components import assets, figure_parts


class Figure(Protocol):
    """A plotly figure, which only `dashboard/charts` knows by name."""

    def to_json(self) -> str: ...


def chart(
    figure: Figure,
    *,
    key: str,
    label: str,
    view: str = "",
    look: Callable[[tuple[float, float] | None], None] | None = None,
    seen: Sequence[float] | None = None,
    group: str = "",
) -> None:
    """Draw `figure`; the next one under the same `key` replaces its data and keeps zoom and hidden lines.

    Only what changed is sent. label: what it shows, for readers who cannot see it. Zoom is kept while `view`
    stays the same: name in it what changes the meaning of the axes, such as their units.

    look: told the range of x whenever the reader chooses one, None for all of it; a rerun follows. seen: the
    range to begin with. group: charts of one group share that range, and the place of the pointer.
    """
    sent = figure_parts.message(json.loads(figure.to_json()), state.sent_figure(key))
    state.keep_sent_figure(key, sent)
    _mount()(
        key=key,
        data={
            "message": sent.message,
            "key": key,
            "label": label,
            "view": view,
            "plotly": assets.plotly_url(),
            "twins": palette.DARK_TWIN,
            "ranged": look is not None,
            "range": list(seen) if seen else None,
            "group": group,
        },
        # Another tab, or a page that was loaded anew, has not what the last message was built on.
        on_lost_change=lambda: state.keep_sent_figure(key, None),
        on_range_change=lambda: look and look(_range(key)),
    )


def prepare() -> None:
    """Has the browser load plotly.js while it idles, on a page whose first chart will be waited for.

    Loading holds the browser up for half a second. What it mounts is invisible, but takes a gap on the page.
    """
    _mount()(key="prepare", data={"plotly": assets.plotly_url()})


def _range(key: str) -> tuple[float, float] | None:
    told = state.entered(key)["range"]
    return tuple(map(float, told)) if told else None


_CSS = """
.metalm-chart { width: 100%; min-height: 4rem; }
.metalm-chart:empty::before { content: "Drawing the chart …"; font-size: 0.9rem; opacity: 0.8; }
"""


@cache
def _mount():
    return st.components.v2.component(
        "metalm_chart",
        html="<div class='metalm-chart' role='img'></div>",
        css=_CSS,
        js=Path(__file__).with_name("chart.js").read_text(encoding="utf-8"),
        # plotly adds its style sheet to the document, where a shadow root would not see it.
        isolate_styles=False,
    )
