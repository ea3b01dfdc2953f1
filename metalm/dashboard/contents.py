"""The table of contents: each page's file, name, section, icon and one line of what it is for.

Icons are drawn here, because an icon font or an emoji as a page's icon is fetched from outside or missing on
machines without such a font.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import streamlit as st

from metalm.dashboard import wording

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24" fill="none" '
    'stroke="{stroke}" stroke-width="{width}" stroke-linecap="round" stroke-linejoin="round">'
    '<path d="{path}"/></svg>'
)
# Two losses that fall: the slow one of the outer loop, and the fast one of an adaptation inside it.
_MARK = "M3 3c1 12 6 17 18 18M11 3c.5 5.5 3 9 10 9.5"
_BLUE = "#4178dc"
_GREY = "#7d8590"  # both read on the light and on the dark sidebar


@dataclass(frozen=True)
class Page:
    """One entry of the navigation. `file` lies beside pages/navigation.py; `path` is the icon's SVG path.

    is_hidden: it is reached by links and by its address alone, since it is about one of many things.
    """

    file: str
    name: str
    section: str
    purpose: str
    path: str
    is_hidden: bool = False

    @property
    def title(self) -> str:
        """The navigation's label: the icon as an inline image, then the name."""
        svg = _SVG.format(stroke=_GREY, width=1.8, path=self.path)
        return f"![](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}) {self.name}"


PAGES = {
    page.name: page
    for page in (
        Page(
            "overview.py",
            "Overview",
            "",
            "What runs now, what finished last, and what to do first.",
            "M3 12l9-8 9 8M6 10v10h12V10M10 20v-6h4v6",
        ),
        Page(
            "corpora.py",
            "Corpora",
            "Data",
            "Texts: add files, look inside, rename, delete.",
            "M4 5c3-1 6-1 8 1 2-2 5-2 8-1v14c-3-1-6-1-8 1-2-2-5-2-8-1zM12 6v14",
        ),
        Page(
            "tasks.py",
            "Tasks",
            "Data",
            "Cut texts into tasks, give each a role, freeze them as a split, check it for leaks.",
            "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM16.5 13v7M13 16.5h7",
        ),
        Page(
            "task.py",
            "Task",
            "Data",
            "One task: its text, relatives and leaks, and every run's results on it.",
            "M5 5h14v14H5zM9 9h6v6H9z",
            is_hidden=True,
        ),
        Page(
            "train.py",
            "Train",
            "Learning",
            "Set up a run, launch it, watch it learn.",
            "M6 4l13 8-13 8z",
        ),
        Page(
            "runs.py",
            "Runs",
            "Learning",
            "All runs: find, tag, stop, resume, export, evaluate.",
            "M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h10",
        ),
        Page(
            "run.py",
            "Run",
            "Learning",
            "One run: status, curves, results, samples, settings, events and files.",
            "M4 6h2M4 12h2M4 18h2M10 6h10M10 12h10M10 18h6",
            is_hidden=True,
        ),
        Page(
            "compare.py",
            "Compare",
            "Evidence",
            "Curves and results of several runs side by side.",
            "M4 4v16h16M7 15l4-6 3 3 5-7",
        ),
        Page(
            "studies.py",
            "Studies",
            "Evidence",
            "Questions about meta-learning, answered by a set of runs, with a report.",
            "M9 3h6M10 3v6L4.5 19a1.5 1.5 0 0 0 1.4 2h12.2a1.5 1.5 0 0 0 1.4-2L14 9V3M7.5 15h9",
        ),
        Page(
            "adapt.py",
            "Adapt",
            "Evidence",
            "Adapt a trained model to a text that it has never seen, live.",
            "M12 3l2.2 6.8L21 12l-6.8 2.2L12 21l-2.2-6.8L3 12l6.8-2.2z",
        ),
    )
}


def mark() -> str:
    """The mark of metalm, as SVG text: the favicon."""
    return _SVG.format(stroke=_BLUE, width=2.6, path=_MARK)


def wordmark() -> str:
    """The mark with the name beside it, as SVG text, for the top of the navigation."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 118 28" width="118" height="28">'
        f'<g transform="translate(0 2)" fill="none" stroke="{_BLUE}" stroke-width="2.6" '
        f'stroke-linecap="round" stroke-linejoin="round"><path d="{_MARK}"/></g>'
        f'<text x="32" y="21" font-family="sans-serif" font-size="20" font-weight="600" '
        f'letter-spacing="0.3" fill="{_GREY}">metalm</text></svg>'
    )


def link(name: str, label: str = "", **choices: str | list[str]) -> None:
    """A link to a page by its name; `choices` are put into its address."""
    chosen = {key: value for key, value in choices.items() if value}
    look = {"icon": ":material/arrow_forward:", "icon_position": "right"}
    st.page_link(PAGES[name].file, label=wording.plain(label or name), query_params=chosen or None, **look)
