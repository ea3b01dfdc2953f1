"""A study's report on the page: findings, tables, figures in the page's own theme, and files to take away."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import state
from metalm.dashboard.table_height import table_height
from metalm.store.studies import Study
from metalm.studies.pages import html, markdown, themed_svg
from metalm.studies.report import Figure, Report, Table, read

_FIGURE_WIDTH = 720  # pixels, at most


def show(study: Study) -> None:
    """The report, or that there is none yet."""
    report = read(state.home().study_dir(study.id))
    if report is None:
        st.info("The report is written when all runs are trained and evaluated.")
        return
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.subheader(report.title)
    with right.container(horizontal=True, horizontal_alignment="right"):
        _downloads(study, report)
    st.markdown("\n".join(f"- {finding}" for finding in report.findings))
    for number, section in enumerate(report.sections):
        st.markdown(f"#### {section.title}")
        for place, part in enumerate(section.parts):
            _part(part, f"{study.id}.{number}.{place}")


def _downloads(study: Study, report: Report) -> None:
    name = f"{study.kind}-{study.id}"
    look = {"icon": ":material/download:", "on_click": "ignore"}
    st.download_button("Markdown", markdown(report), f"{name}.md", "text/markdown", **look)
    st.download_button("HTML", html(report), f"{name}.html", "text/html", **look)


def _part(part: str | Table | Figure, key: str) -> None:
    if isinstance(part, str):
        st.markdown(part)
    elif isinstance(part, Figure):
        with st.container(width=_FIGURE_WIDTH):  # narrower where the page is
            st.image(themed_svg(part), width="stretch", alt=part.alt)
            st.caption(part.caption)
    else:
        _table(part, key)


def _table(table: Table, key: str) -> None:
    frame = pd.DataFrame(table.rows, columns=list(table.columns))
    numbers = {
        name: st.column_config.NumberColumn(format=_format(frame[name]))
        for index, name in enumerate(table.columns)
        if table.is_number(index)
    }
    look = {"height": table_height(len(frame)), "column_config": numbers, "alt": table.caption}
    st.dataframe(frame, hide_index=True, key=key, **look)
    st.caption(table.caption)


def _format(column: pd.Series) -> str:
    """As many digits as the report's files have; counts with their thousands apart."""
    values = column.dropna()
    if (values == values.round()).all() and not (values.dtype == float and values.abs().lt(10).all()):
        return "localized"
    return "%.4f" if values.abs().lt(0.1).all() else "%.3f"
