"""What a study found: text, tables and figures, written as Markdown, as one HTML file, and as data.

Numbers stand in tables as numbers; how many digits people see is decided here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd

DATA_FILE, MARKDOWN_FILE, HTML_FILE, FIGURES_DIR = "report.json", "report.md", "report.html", "figures"
NOTHING = "–"

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns with their units, and rows of numbers and words; None where there is no number."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, caption: str, frame: pd.DataFrame) -> Self:
        """A frame as a table; its index is not part of it."""
        return cls(
            caption=caption,
            columns=tuple(map(str, frame.columns)),
            rows=tuple(tuple(_plain(value) for value in row) for row in frame.itertuples(index=False)),
        )

    def shown(self) -> list[list[str]]:
        """The cells as people read them."""
        return [[shown(value) for value in row] for row in self.rows]

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers, which stand to the right."""
        return all(isinstance(row[column], int | float | None) for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing. name: of its file, without the ending. alt: what it shows, for who does not see it."""

    name: str
    caption: str
    alt: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing in which readers zoom and hover, in HTML alone. figure: as plotly writes it, JSON."""

    name: str
    caption: str
    alt: str
    figure: str


Part = str | Table | Figure | Chart


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with what stands below it: paragraphs, tables and drawings in their order."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The answer to a question. findings: one sentence each. settings: of the study, by name."""

    title: str
    findings: tuple[str, ...]
    sections: tuple[Section, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """Every figure, in its order."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Figure)]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; `from_json` reads it back."""
        sections = [
            {"title": section.title, "parts": [_part_json(part) for part in section.parts]}
            for section in self.sections
        ]
        return {**asdict(self), "sections": sections}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The report that `to_json` wrote."""
        sections = tuple(
            Section(title=each["title"], parts=tuple(map(_part, each["parts"]))) for each in data["sections"]
        )
        return cls(
            title=data["title"],
            findings=tuple(data["findings"]),
            sections=sections,
            settings=data["settings"],
        )


def _part_json(part: Part) -> dict[str, Any]:
    return {"text": part} if isinstance(part, str) else {type(part).__name__.lower(): asdict(part)}


def _part(data: Mapping[str, Any]) -> Part:
    if "text" in data:
        return data["text"]
    for kind in (Figure, Chart):
        if kind.__name__.lower() in data:
            return kind(**data[kind.__name__.lower()])
    table = data["table"]
    return Table(
        caption=table["caption"],
        columns=tuple(table["columns"]),
        rows=tuple(tuple(row) for row in table["rows"]),
    )


def _plain(value: Any) -> Cell:
    """A cell as JSON holds it; what is no finite number is none."""
    value = value.item() if hasattr(value, "item") else value
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def shown(value: Cell) -> str:
    """A cell as people read it: four digits of a number, thousands apart."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (abs(value) >= 1000 and math.isfinite(value)):
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3g}"


# ---- files ----


def write(report: Report, folder: Path) -> Path:
    """Writes all of it into a folder, in place of what was there; gives the folder."""
    from metalm.studies.pages import html, markdown

    figures = folder / FIGURES_DIR
    figures.mkdir(parents=True, exist_ok=True)
    for old in figures.glob("*.svg"):
        old.unlink()
    for figure in report.figures:
        (figures / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
    (folder / MARKDOWN_FILE).write_text(markdown(report), encoding="utf-8")
    (folder / HTML_FILE).write_text(html(report), encoding="utf-8")
    data = json.dumps(report.to_json(), ensure_ascii=False, allow_nan=False)
    (folder / DATA_FILE).write_text(data, encoding="utf-8")
    return folder


def read(folder: Path) -> Report | None:
    """The report in a folder; None before there is one."""
    path = folder / DATA_FILE
    return Report.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
