"""The leakage audit of a split: who shares text with whom, worst first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import long_work, messages, state, widgets, wording
from metalm.dashboard.charts.matrices import leakage_heatmap
from metalm.dashboard.components.chart import chart
from metalm.errors import MetalmError
from metalm.text.audit import Audit
from metalm.text.splits import Split

_WORST = 24  # tasks in the heat map: those with the largest shares
_KINDS = {"lines": "identical lines", "13-grams": "runs of 13 words"}


def show(split: Split) -> None:
    """The audit of `split`: made when asked for, then remembered."""
    st.markdown(
        "Text that stands in two roles, or in both sets of one task, flatters the results. "
        ":gray[The audit warns; it forbids nothing.]"
    )
    audit = audited(split)
    if audit is None:
        return
    kind = widgets.switch("Compare", list(_KINDS), "leak", format_func=_KINDS.get)
    rows = audit.rows[audit.rows["kind"] == kind]
    if audit.every > 1:
        st.caption(f"The split is large: one unit in {audit.every} was compared.")
    if rows.empty:
        st.success(f"No {_KINDS[kind]} are shared.")
        return
    st.warning(f"{wording.things(len(rows), 'pair')} share {_KINDS[kind]}. Worst: {_worst(rows.iloc[0])}.")
    chart(leakage_heatmap(_shares(audit, kind, rows)), key=f"leak.{kind}", label=f"Shared {_KINDS[kind]}")
    st.caption("So much of the row's text stands in the column's; on the diagonal, query set in support set.")
    _table(rows)


def audited(split: Split) -> Audit | None:
    """The audit, made when it was not yet, with its progress. None when it was stopped, or cannot be made."""
    kept = state.home().kept_audit(split.id)
    if kept is not None:
        return kept

    def work(tell: long_work.Tell) -> Audit:
        return state.home().audit(split.id, on_progress=lambda share: tell(share, "compared"))

    try:
        return long_work.once(
            "audit", split.id, "Comparing all texts of the split, once …", work, key="audit"
        )
    except MetalmError as error:
        messages.error(error)
        return None


def _worst(row: pd.Series) -> str:
    if row["left"] == row["right"]:
        return f"{row['share']:.1%} of the query set of {row['right']} stands in its support set too"
    roles = f"({row['right_role']}) stands in {row['left']} ({row['left_role']}) too"
    return f"{row['share']:.1%} of {row['right']} {roles}"


def _shares(audit: Audit, kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The worst tasks against each other: left, right, share, shared."""
    names = list(
        dict.fromkeys([name for pair in zip(rows["left"], rows["right"], strict=True) for name in pair])
    )
    names = names[:_WORST]
    matrix = audit.tasks[kind].loc[names, names]
    # The audit tells the share of the right text; the heat map reads "so much of the left".
    cells = matrix.T.rename_axis("left").rename_axis("right", axis=1).stack().rename("share").reset_index()
    counts = rows.set_index(["right", "left"])["shared"].rename_axis(["left", "right"])
    return cells.join(counts, on=["left", "right"]).fillna({"shared": 0})


def _table(rows: pd.DataFrame) -> None:
    own = rows["left"] == rows["right"]
    rows = rows.assign(
        left=rows["left"].mask(own, "its own support set"), left_role=rows["left_role"].mask(own, "")
    )
    st.dataframe(
        rows[["share", "shared", "right", "right_role", "left", "left_role", "example"]],
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn(format="percent", help="of the text that holds it"),
            "shared": st.column_config.NumberColumn(help="how many lines, or runs of words"),
            "right": "of",
            "right_role": "role",
            "left": "also in",
            "left_role": "role of that",
            "example": st.column_config.TextColumn(width="large"),
        },
        alt="Pairs of tasks that share text, worst first",
    )
