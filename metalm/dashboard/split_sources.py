"""The first step to a split: which corpora, and how they are cut into tasks."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import state, widgets, wording
from metalm.text.corpora import Corpus
from metalm.text.tasks import MIN_TASK_BYTES, Task

_CUTS = {
    "corpus": "one task a corpus",
    "group": "one task a value of the group column",
    "chunks": "chunks of one size",
}


def chosen_tasks(corpora: list[Corpus]) -> list[Task]:
    """The tasks to give roles to: all corpora unless some are picked, cut as asked."""
    kinds = sorted({corpus.groups["kind"] for corpus in corpora if "kind" in corpus.groups})
    left, middle, right = st.columns([1, 2, 2], vertical_alignment="bottom")
    with left:
        options = ["all", *kinds]
        kind = widgets.select(
            "Kind", options, "kind", format_func=lambda k: "every kind" if k == "all" else k
        )
    offered = [c for c in corpora if kind in ("all", c.groups.get("kind"))]
    with middle:
        names = widgets.select_many(
            "Corpora", [c.name for c in offered], "corpora", placeholder="all of them"
        )
    with right:
        by = widgets.select("Cut into tasks", list(_CUTS), "by", format_func=_CUTS.get)
    chosen = [c for c in offered if not names or c.name in names]
    kilobytes = _chunk_size() if by == "chunks" else 0
    tasks = state.tasks(chosen, by, kilobytes * 1000)
    short = [task.name for task in tasks if not task.is_long_enough]
    if short:
        st.caption(
            f"{wording.things(len(short), 'task')} shorter than {wording.size(MIN_TASK_BYTES)} left out: "
            f"{', '.join(short[:5])}{' …' if len(short) > 5 else ''}"
        )
    return [task for task in tasks if task.is_long_enough]


def _chunk_size() -> int:
    """Kilobytes a chunk."""
    typed = state.choice("chunk", "100")
    st.session_state["widget.chunk"] = max(2, int(typed)) if typed.isdecimal() else 100
    value = st.number_input(
        "Size of a chunk in kB",
        min_value=2,
        step=10,
        key="widget.chunk",
        on_change=lambda: state.choose("chunk", str(st.session_state["widget.chunk"])),
        help="The last chunk of a corpus takes the rest.",
    )
    state.publish("chunk", str(value), "100")
    return value
