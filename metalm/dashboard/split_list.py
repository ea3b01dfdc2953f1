"""The splits of a home: a table, and one of them in full."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import contents, empty, split_audit, split_results, state, widgets, wording
from metalm.dashboard.charts.texts import task_sizes
from metalm.dashboard.components.chart import chart
from metalm.dashboard.table_height import table_height
from metalm.text.splits import ROLES, Split

_MARKS = {True: "near", False: "far", None: ""}


def show(splits: list[Split]) -> None:
    """The table of splits and the chosen one."""
    if not splits:
        empty.nothing(
            "No split yet.",
            "Cut texts into tasks and give them roles.",
            page="Tasks",
            label="New split",
            view="New split",
        )
        return
    names = [split.name for split in splits]
    chosen = state.choice("split")
    widgets.tell_gone("Split", names, "split")
    picked = st.dataframe(
        pd.DataFrame([_row(split) for split in splits]),
        key=f"splits.{hash(tuple(names))}",
        hide_index=True,
        height=table_height(len(splits)),
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [names.index(chosen) if chosen in names else 0]}},
        column_config={
            "frozen": st.column_config.DatetimeColumn(format="distance"),
            "meta-train": st.column_config.NumberColumn(help="tasks that the slow weights learn from"),
            "meta-validation": st.column_config.NumberColumn(
                help="tasks that settings and checkpoints are chosen by"
            ),
            "meta-test": st.column_config.NumberColumn(help="tasks that are only ever judged on"),
            "near": st.column_config.NumberColumn(
                help="meta-test tasks whose family or script is in meta-train"
            ),
            "far": st.column_config.NumberColumn(help="meta-test tasks that share neither"),
        },
        alt="All splits",
    )
    split = splits[picked.selection.rows[0]]
    state.choose("split", split.name)
    _entry(split)


def _row(split: Split) -> dict:
    marks = [task.near for task in split.tasks if task.role == "meta-test"]
    return {
        "split": split.name,
        **{role: len(split.of_role(role)) for role in ROLES},
        "near": marks.count(True),
        "far": marks.count(False),
        "fold": f"{split.fold} of {split.folds}" if split.folds > 1 else "",
        "size": wording.size(sum(task.task.size for task in split.tasks)),
        "frozen": split.created_at,
    }


def _entry(split: Split) -> None:
    st.divider()
    title, actions = st.columns([4, 2], vertical_alignment="bottom")
    title.subheader(wording.plain(split.name), anchor=False)
    row = {"horizontal": True, "horizontal_alignment": "right", "vertical_alignment": "center"}
    with actions.container(**row):
        contents.link("Train", "Train on it", split=split.name)
        if st.button("Delete", icon=":material/delete:"):
            _delete(split)
    opened = state.home().openings(split.name)
    st.caption(
        f"content hash `{split.id}` · meta-test opened {wording.things(opened, 'time')}",
        help="Equal hashes: the same bytes in the same roles. Only results of equal hashes are compared.",
    )
    what = widgets.switch("Look at", ["Tasks", "Results", "Sizes", "Leakage audit"], "look")
    if what == "Tasks":
        _tasks(split)
    elif what == "Results":
        split_results.show(split)
    elif what == "Sizes":
        sizes = [{"task": t.task.name, "role": t.role, "bytes": t.task.size} for t in split.tasks]
        chart(task_sizes(pd.DataFrame(sizes)), key="sizes", label=f"Sizes of the tasks of {split.name}")
    else:
        split_audit.show(split)


def _tasks(split: Split) -> None:
    keys = sorted({key for t in split.tasks for key in t.task.groups} - {"relatives"})
    rows = [
        {
            "task": t.task.name,
            "role": t.role,
            "near or far": _MARKS[t.near],
            "relatives": t.task.relatives if t.task.relatives != t.task.name else "",
            **{key: t.task.groups.get(key, "") for key in keys},
            "bytes": t.task.size,
        }
        for t in split.tasks
    ]
    picked = st.dataframe(
        pd.DataFrame(rows),
        key=f"tasks.{split.id}",
        hide_index=True,
        height=table_height(len(rows), 16),
        on_select="rerun",
        selection_mode="single-row",
        column_config={"bytes": st.column_config.NumberColumn(format="localized")},
        alt=f"Tasks of {split.name}",
    )
    names = [rows[row]["task"] for row in picked.selection.rows if row < len(rows)]
    if names:
        contents.link("Task", f"Open {names[0]}", split=split.name, task=names[0])
    else:
        st.caption("Select a task to open its page.")


@st.dialog("Delete split")
def _delete(split: Split) -> None:
    st.markdown(f"**{wording.plain(split.name)}** is removed, with what was evaluated on it. Its texts stay.")
    icon = ":material/delete:"
    if st.button("Delete for good", type="primary", icon=icon, on_click=_delete_now, args=(split,)):
        st.rerun()


def _delete_now(split: Split) -> None:
    def action() -> str:
        state.home().delete_split(split.id)
        return f"{split.name} is deleted."

    state.attempt(action, split=None)
