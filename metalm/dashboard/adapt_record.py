"""Saved adaptations to one text, side by side: shown, presented, exported, deleted."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import (
    adapt_export,
    adapt_live,
    adapt_present,
    adapt_resemblance,
    adapt_samples,
    adapt_verdict,
    adapt_view,
    messages,
    state,
    wording,
)
from metalm.dashboard.adapt_shown import Adapted, of_records
from metalm.errors import NotFoundError
from metalm.store.adaptations import AdaptationRecord


def show(ids: Sequence[str]) -> None:
    """The records with these ids, of one text; those of another text than the first are not shown.

    While the demo that will leave them runs, it is shown in their place.
    """
    demo = state.jobs().demos.find(ids)
    missing = demo is not None and any(p.record_id in ids and not p.is_saved for p in demo.parts)
    if missing and not demo.is_over:
        adapt_live.show(demo)
        return
    if missing:
        adapt_live.leave(demo)
        st.rerun()
    records = _read(ids)
    if not records:
        st.button("Adapt to a text", on_click=state.choose, args=("demo", None))
        return
    adapted = of_records(records)
    if adapt_present.is_on():
        _presented(records[0], adapted)
    else:
        _whole(records[0], adapted)


def _presented(record: AdaptationRecord, adapted: Sequence[Adapted]) -> None:
    title, leave = st.columns([5, 1], vertical_alignment="center")
    title.header(wording.plain(record.name))
    with leave:
        adapt_present.leave_button(width="stretch")
    _tell_stopped(adapted)
    adapt_view.show(adapted, adapt_view.known_baselines(), record.support, record.query)
    adapt_samples.show(adapted, can_write=False)


def _whole(record: AdaptationRecord, adapted: Sequence[Adapted]) -> None:
    _head(record, [one.key for one in adapted])
    _tell_stopped(adapted)
    baselines = adapt_view.chosen_baselines()
    adapt_view.show(adapted, baselines, record.support, record.query)
    with st.container(horizontal=True):
        adapt_export.button(record, adapted, baselines)
    place = st.container()
    adapt_samples.show(adapted)
    with st.expander(f"Support set ({wording.size(len(record.support.encode()))})"):
        st.code(record.support, language=None, wrap_lines=True, height=240)
    runs = {one.run: one.style.name for one in adapted}
    with place:  # last, because it may take minutes: the page is whole meanwhile
        adapt_resemblance.show(runs, record.support, record.query)


def _read(ids: Sequence[str]) -> list[AdaptationRecord]:
    records = []
    for record_id in ids:
        try:
            records.append(state.home().store.adaptations.get(record_id))
        except NotFoundError as error:
            messages.warning(error)
    return [record for record in records if record.query == records[0].query]


def _head(record: AdaptationRecord, ids: Sequence[str]) -> None:
    title, again, present, delete = st.columns([5, 2, 1.3, 1.2], vertical_alignment="bottom")
    title.subheader(wording.plain(record.name))
    title.caption(
        f"query set of {wording.count(len(record.query))} characters after a support set of "
        f"{wording.size(len(record.support.encode()))} · saved {wording.ago(record.created_at)}"
    )
    again.button("Adapt to another text", width="stretch", on_click=state.choose, args=("demo", None))
    with present:
        adapt_present.enter_button(width="stretch")
    with delete:
        delete_button(ids, record.name)


def _tell_stopped(adapted: Sequence[Adapted]) -> None:
    told = adapt_verdict.of_stopped(adapted)
    if told:
        st.info(wording.plain(told), icon=":material/stop_circle:")


def delete_button(ids: Sequence[str], name: str) -> None:
    """Asks once more, then deletes the records with these ids, adaptations to the text `name`."""
    if st.button("Delete", key=f"delete.{ids[0]}", width="stretch"):
        _ask(ids, name)


@st.dialog("Delete this demo?")
def _ask(ids: Sequence[str], name: str) -> None:
    what = wording.things(len(ids), "adaptation")
    st.markdown(f"**{wording.plain(name)}**: {what} to this text and what was written go for good.")
    if st.button("Delete for good", type="primary", key="demo.delete", on_click=_forget, args=(ids,)):
        st.rerun()


def _forget(ids: Sequence[str]) -> None:
    for record_id in ids:
        state.home().store.adaptations.delete(record_id)
    state.choose("demo", [one for one in state.choices("demo") if one not in ids])
    messages.notice("Deleted.")
