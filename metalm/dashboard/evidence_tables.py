"""Tables that stand beside charts of means: medians, every task, and where adaptation hurts.

Shared by Compare and by the page of a run, so that a number is worded alike on both.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from metalm.dashboard import compare_facets, wording
from metalm.dashboard.table_height import table_height
from metalm.evaluate import statistics
from metalm.text.splits import Split

NUMBER = st.column_config.NumberColumn(format="%.3f")
CHANGE = st.column_config.NumberColumn(format="%+.3f")
SUPPORT = st.column_config.NumberColumn("support bytes", format="localized")
DISTANCE = st.column_config.TextColumn("near or far", help="of the meta-train tasks")
_HELPED, _HURT = "helped", "hurts"
_KINDS = ("family", "script")  # groups of a task that stand beside near or far
_MOST = 5_000  # lines of a table: more are slow to send, and are in the file
_MEANS = ("name", "support_bytes", "tasks", "mean", "low", "high", "median")


def means(lines: pd.DataFrame) -> None:
    """A line a (name, support size). Columns: those of `statistics.summary`, and name unless there is one."""
    st.dataframe(
        lines[[name for name in _MEANS if name in lines]].sort_values(["support_bytes", "mean"]),
        hide_index=True,
        height=table_height(len(lines), 16),
        column_config={
            "name": "run",
            "support_bytes": SUPPORT,
            "mean": NUMBER,
            "low": st.column_config.NumberColumn("95 % from", format="%.3f"),
            "high": st.column_config.NumberColumn("to", format="%.3f", help="bootstrap over tasks"),
            "median": st.column_config.NumberColumn(format="%.3f", help="half of the tasks cost less"),
        },
        placeholder=wording.NOTHING,
        alt="Means and medians over tasks of bits per byte, by support size",
    )


def every_task(lines: pd.DataFrame, split: Split | None, *, online: bool) -> None:
    """A line a (task, name, support size) with what adaptation saved; online, with its one score.

    Columns: task, near (True, False or none), those of `statistics.before_after`; and name, support_bytes
    where there are several.
    """
    lines, marks = _marked(lines.assign(flag=_flags(lines)), split, set(lines["task_id"]))
    keys = [name for name in ("task", *marks, "name", "support_bytes") if name in lines]
    scores = ["after"] if online else ["before", "after", "saved"]
    scores += ["flag"] if (lines["flag"] != "").any() else []
    order = [name for name in ("task", "support_bytes", "after") if name in lines]
    lines = _most_changed(lines)
    st.dataframe(
        lines[[*keys, *scores]].sort_values(order, kind="stable"),
        hide_index=True,
        height=table_height(len(lines)),
        column_config={
            "near": DISTANCE,
            "name": "run",
            "support_bytes": SUPPORT,
            "before": NUMBER,
            "after": st.column_config.NumberColumn("bits per byte" if online else "after", format="%.3f"),
            "saved": st.column_config.NumberColumn(format="%+.3f", help="bits per byte, by adaptation"),
            "flag": st.column_config.TextColumn(
                "adaptation", help=f"{_HELPED}: fewer bits than before; {_HURT}: more"
            ),
        },
        placeholder=wording.NOTHING,
        alt="Bits per byte of each task" + ("" if online else " before and after adaptation"),
    )


def _flags(lines: pd.DataFrame) -> pd.Series:
    """What adaptation did to each line; "" where it took no step, or changed nothing."""
    helped = lines["saved"].gt(0) & ~lines["hurts"]
    return lines["hurts"].map({True: _HURT, False: ""}).mask(helped, _HELPED)


def _most_changed(lines: pd.DataFrame) -> pd.DataFrame:
    """Those lines that a table can hold, and words when some had to stay out."""
    if len(lines) <= _MOST:
        return lines
    st.caption(
        f"The {wording.count(_MOST)} of {wording.things(len(lines), 'line')} that adaptation changed most."
    )
    return lines.loc[lines["saved"].abs().nlargest(_MOST).index]


def _marked(lines: pd.DataFrame, split: Split | None, task_ids: set[str]) -> tuple[pd.DataFrame, list[str]]:
    """`lines` with near or far, family and script; and those of the three that tell `task_ids` apart."""
    marks = lines["near"].astype("boolean").map({True: "near", False: "far"})
    columns = {} if marks.isna().all() else {"near": marks.fillna("")}  # only meta-test tasks are marked
    ways = compare_facets.offered(split, task_ids)
    for kind in (kind for kind in _KINDS if kind in ways):
        columns[kind] = lines["task_id"].map(compare_facets.groups(split, kind))
    return lines.drop(columns="near").assign(**columns), list(columns)


def hurt(tasks: pd.DataFrame, named: Callable[[pd.DataFrame], pd.DataFrame], split: Split | None) -> None:
    """The flag "adaptation hurts", with where and by how much; or that it hurts nowhere.

    tasks: lines of `statistics.by_task`; without an adaptation among them there is nothing to say. named:
    adds the columns task and near, and name where there are several series.
    """
    num = int((statistics.at_last_step(tasks)["adaptation_step"] > 0).sum())
    if not num:
        return
    lines = named(statistics.hurt(tasks))
    if lines.empty:
        st.caption(f"Adaptation hurts nowhere: none of {wording.things(num, 'score')} got worse by it.")
        return
    worst = wording.number(lines["lost"].max())
    st.warning(
        f"**Adaptation hurts** in {wording.count(len(lines))} of {wording.things(num, 'score')}, by up to "
        f"{worst} bits per byte: after it the query set costs more than before.",
        icon=":material/warning:",
    )
    lines, marks = _marked(lines, split, set(tasks["task_id"]))
    keys = [name for name in ("task", *marks, "name", "support_bytes") if name in lines]
    st.dataframe(
        lines[[*keys, "before", "after", "lost"]],
        hide_index=True,
        height=table_height(len(lines), 6),
        column_config={
            "near": DISTANCE,
            "name": "run",
            "support_bytes": SUPPORT,
            "before": NUMBER,
            "after": NUMBER,
            "lost": st.column_config.NumberColumn(format="%+.3f", help="bits per byte that adaptation cost"),
        },
        alt="Where adaptation hurts",
    )
