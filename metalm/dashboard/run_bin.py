"""Runs put away: an Undo right after, archived or deleted; the list of deleted ones, which come back."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import empty, state, wording
from metalm.dashboard.table_height import table_height
from metalm.home.bin import KEPT_DAYS
from metalm.store.runs import Run

_LAST = "runs.last put away"  # (deleted or archived, ids)
_DELETED, _ARCHIVED = "deleted", "archived"


def discard(runs: Sequence[Run]) -> None:
    """Puts runs into the bin: made for a button's `on_click`."""

    def action() -> str:
        state.keep_result(_LAST, (_DELETED, state.home().discard_runs([run.id for run in runs])))
        return f"{wording.things(len(runs), 'run')} deleted."

    state.attempt(action, runs=None)


def archive(runs: Sequence[Run]) -> None:
    """Takes runs out of the list: made for a button's `on_click`."""
    listed = [run.id for run in runs if not run.archived]  # Undo is of these

    def action() -> str:
        for run_id in listed:
            state.home().archive_run(run_id)
        state.keep_result(_LAST, (_ARCHIVED, listed))
        return f"{wording.things(len(listed), 'run')} archived."

    state.attempt(action)


def bring_back(run_ids: Sequence[str]) -> None:
    """Lists archived runs again, and selects them: made for a button's `on_click`."""
    names: list[str] = []

    def action() -> str:
        for run_id in run_ids:
            state.home().archive_run(run_id, False)
            names.append(state.home().run(run_id).name)
        state.keep_result(_LAST, None)
        return f"{wording.things(len(names), 'run')} back in the list."

    if state.attempt(action):
        state.choose("runs", names)


def offer_undo() -> None:
    """A line with Undo, until other runs are put away or the line is closed."""
    done, run_ids = state.kept_result(_LAST) or ("", ())
    if not run_ids:
        return
    where, undo = {
        _DELETED: (f"**Deleted** keeps them for {KEPT_DAYS} days.", _restore),
        _ARCHIVED: ("**Archived too** shows them.", bring_back),
    }[done]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{wording.things(len(run_ids), 'run')} {done}. {where}", width="content")
        st.button("Undo", icon=":material/undo:", type="primary", on_click=undo, args=(run_ids,))
        st.button("Close", type="tertiary", on_click=state.keep_result, args=(_LAST, None))


def _restore(run_ids: Sequence[str]) -> None:
    back: list[str] = []

    def action() -> str:
        back.extend(state.home().restore_runs(run_ids))
        state.keep_result(_LAST, None)
        return f"{wording.things(len(back), 'run')} back in the list."

    if state.attempt(action):
        state.choose("runs", back)


def show() -> None:
    """What lies in the bin, with a button to bring back and one to delete for good."""
    table = state.home().store.bin.table()
    if table.empty:
        empty.nothing("Nothing is deleted.", f"Deleted runs stay here for {KEPT_DAYS} days, whole.")
        return
    kinds = st.column_config
    picked = st.dataframe(
        table.drop(columns="id").assign(seconds=table["seconds"] / 60),
        key=f"bin.{hash(tuple(table['id']))}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        height=table_height(len(table)),
        column_config={
            "name": kinds.TextColumn("run", width="medium", pinned=True),
            "step": kinds.NumberColumn("outer steps", format="localized"),
            "seconds": kinds.NumberColumn("time", format="%.1f min"),
            "deleted_at": kinds.DatetimeColumn("deleted", format="distance"),
        },
        alt="Deleted runs",
    )
    chosen = table.iloc[[row for row in picked.selection.rows if row < len(table)]]
    st.caption(f"They go for good {KEPT_DAYS} days after they were deleted, when metalm starts.")
    with st.container(horizontal=True):
        none = chosen.empty
        ids = list(chosen["id"])
        st.button("Bring back", icon=":material/undo:", disabled=none, on_click=_restore, args=(ids,))
        if st.button("Delete for good", icon=":material/delete_forever:", disabled=none):
            _ask(ids, list(chosen["name"]))


@st.dialog("Delete for good")
def _ask(run_ids: Sequence[str], names: Sequence[str]) -> None:
    st.markdown("These are removed with weights, curves and results; nothing brings them back:")
    st.markdown("\n".join(f"- **{wording.plain(name)}**" for name in names))
    label = f"Delete {wording.things(len(run_ids), 'run')} for good"
    if st.button(label, type="primary", icon=":material/delete_forever:", on_click=_empty, args=(run_ids,)):
        st.rerun()


def _empty(run_ids: Sequence[str]) -> None:
    state.attempt(lambda: f"{wording.things(state.home().empty_bin(run_ids), 'run')} deleted for good.")
    state.keep_result(_LAST, None)
