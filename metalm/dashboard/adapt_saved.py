"""The list of saved adaptations: open one again, or delete it."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import adapt_record, adapt_verdict, empty, state, wording
from metalm.jobs.demo import MAX_RUNS
from metalm.store.adaptations import AdaptationRecord

_SHOWN = 50


def show() -> None:
    """Saved adaptations, newest first; those of several runs to the same text are one entry."""
    entries = list(_by_text(state.home().store.adaptations.all()).values())
    if not entries:
        empty.nothing("Nothing saved yet.", "Every adaptation to a text is kept here, to be opened again.")
        return
    names = dict(state.home().store.runs.names())
    for entry in entries[:_SHOWN]:
        _entry(entry, names)
    if len(entries) > _SHOWN:
        st.caption(f"The newest {_SHOWN} of {len(entries)} are listed.")


def _by_text(records: list[AdaptationRecord]) -> dict[tuple, list[AdaptationRecord]]:
    """Records of the same name and texts together, newest first."""
    entries: dict[tuple, list[AdaptationRecord]] = {}
    for record in records:
        entries.setdefault((record.name, record.support, record.query), []).append(record)
    return entries


def _entry(entry: list[AdaptationRecord], names: dict[str, str]) -> None:
    newest = entry[0]
    latest = {record.run: record.id for record in reversed(entry)}  # of a run that adapted twice, the second
    ids = list(latest.values())[-MAX_RUNS:]
    runs = ", ".join(dict.fromkeys(names.get(record.run, "a deleted run") for record in entry))
    opens = [record for record in entry if record.id in ids]
    stopped = adapt_verdict.stopped(
        [(names.get(record.run, "a deleted run"), record.stopped_after) for record in opens]
    )
    with st.container(border=True):
        text, opened, delete = st.columns([7, 1, 1], vertical_alignment="center")
        title, when = wording.plain(newest.name), wording.ago(newest.created_at)
        text.markdown(f"**{title}** :gray[{wording.plain(runs)} · {when}]")
        text.caption(wording.isolated(wording.plain(" ".join(newest.query[:160].split()))))
        if stopped:
            text.caption(f":material/stop_circle: {wording.plain(stopped)}")
        choices = {"demo": ids, "view": None}
        opened.button(
            "Open", key=f"open.{newest.id}", width="stretch", on_click=state.choose_all, args=(choices,)
        )
        with delete:
            adapt_record.delete_button([record.id for record in entry], newest.name)
