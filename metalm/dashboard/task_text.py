"""The text of one task, and how much of it stands elsewhere. Text of meta-test is opened, not just shown."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import messages, split_audit, state, widgets, wording
from metalm.errors import MetalmError
from metalm.text.splits import Split, SplitTask
from metalm.text.tasks import TaskText

_SHOWN_BYTES = 4_000
_BEGIN, _SUPPORT, _QUERY = "Beginning", "Support part, its end", "Query set"


def show(split: Split, member: SplitTask) -> None:
    """A piece of the text, chosen by where it stands in the task."""
    try:
        text = state.home().text_of(member.task)
    except MetalmError as error:
        messages.warning(error)
        return
    if not is_open(split, member):
        offer(split, member, "Open meta-test and show the text")
        return
    cut = text.cut
    st.caption(
        f"Bytes 0 to {cut.train_end:,} are the support part, {cut.query_begin:,} to {cut.query_end:,} the "
        "query set that is judged; the gap between them is read by nobody."
    )
    part = widgets.switch("Part", [_BEGIN, _SUPPORT, _QUERY], "part")
    # Plain, so that nothing in it is read as markdown.
    st.code(_piece(text, part), language=None, wrap_lines=True, height=420)


def _piece(text: TaskText, part: str) -> str:
    if part == _QUERY:
        begin, end = text.query(_SHOWN_BYTES)
    elif part == _SUPPORT:
        begin, end = text.support(min(_SHOWN_BYTES, text.cut.train_end)) or (0, text.cut.train_end)
    else:
        begin, end = 0, min(_SHOWN_BYTES, text.cut.train_end)
    return text.read(begin, end).decode(errors="ignore")


def is_open(split: Split, member: SplitTask, run_id: str = "") -> bool:
    """Whether the text may be shown, or be given to a run: it is none of meta-test, or was opened in this
    session. What one run opened another did not: whoever meets the text is recorded.
    """
    return member.role != "meta-test" or bool(state.kept_result(_mark(split, member, run_id)))


def offer(split: Split, member: SplitTask, label: str, run_id: str = "") -> None:
    """Says what opening meta-test means, with the button that does it and records it."""
    times = wording.things(state.home().openings(split.name), "time")
    st.warning(
        f"A meta-test task of the split {wording.plain(split.name)}. Who has read it cannot forget it when "
        f"settings are chosen: opening it is recorded for ever. So far meta-test was opened {times}."
    )
    st.button(label, icon=":material/lock_open:", on_click=_open, args=(split, member, run_id))


def _open(split: Split, member: SplitTask, run_id: str) -> None:
    def action() -> str:
        state.home().open_meta_test(split.id, run_id)
        for who in {run_id, ""}:  # who lets a run read it may read it too
            state.keep_result(_mark(split, member, who), True)
        return "The opening of meta-test is recorded."

    state.attempt(action)


def _mark(split: Split, member: SplitTask, run_id: str) -> tuple[str, ...]:
    return "opened", split.id, member.task.id, run_id


def leakage(split: Split, member: SplitTask) -> None:
    """What of the task stands in tasks of other roles, or in both of its own sets."""
    name = member.task.name
    audit = split_audit.audited(split)
    if audit is None:
        return
    rows = audit.rows[(audit.rows["left"] == name) | (audit.rows["right"] == name)]
    if audit.every > 1:
        st.caption(f"The split is large: one unit in {audit.every} was compared.")
    if rows.empty:
        st.success(
            "No line and no run of 13 words of it stands in a task of another role, or in both its sets."
        )
        return
    own = rows["left"] == rows["right"]
    mine = rows["right"] == name
    table = rows.assign(
        other=rows["left"].where(mine, rows["right"]).mask(own, "its own support set"),
        role=rows["left_role"].where(mine, rows["right_role"]).mask(own, ""),
        of=rows["right"].where(~mine, "this task"),
    )
    columns = ["kind", "of", "share", "shared", "other", "role"]
    if is_open(split, member):
        columns.append("example")
    else:
        st.caption("Examples are text of meta-test: they are here once it is opened under Text.")
    st.dataframe(
        table[columns],
        hide_index=True,
        column_config={
            "kind": "what is shared",
            "of": st.column_config.TextColumn("share of", help="whose lines or runs of words are counted"),
            "share": st.column_config.NumberColumn(format="percent"),
            "shared": st.column_config.NumberColumn(help="how many lines, or runs of words"),
            "other": "shared with",
            "role": "role of that",
            "example": st.column_config.TextColumn(width="large"),
        },
        alt=f"What {name} shares with other tasks, worst first",
    )
