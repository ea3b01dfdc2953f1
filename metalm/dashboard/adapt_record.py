"""Saved adaptations to one text, side by side: scores, characters, curves, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from metalm import units
from metalm.dashboard import adapt_resemblance, palette, state, wording
from metalm.dashboard.charts.adaptation import adaptation_curves, saved_along_text
from metalm.dashboard.components.character_view import AdaptedText, character_view
from metalm.dashboard.components.chart import chart
from metalm.dashboard.palette import RunStyle
from metalm.errors import MetalmError, NotFoundError
from metalm.store.adaptations import AdaptationRecord, AdaptationStep, Sample


@dataclass(frozen=True)
class Adapted:
    """A record with its steps, its samples, and how its run is drawn."""

    record: AdaptationRecord
    steps: Sequence[AdaptationStep]
    samples: Sequence[Sample]
    style: RunStyle

    @property
    def bits_per_byte(self) -> list[float]:
        """Of the whole query set, step by step."""
        return [units.bits_per_byte(step.nats, step.bytes) for step in self.steps]

    @property
    def bits(self) -> np.ndarray:
        """(S, C): of each character of the query set at each step."""
        return units.bits(np.array([step.char_nats for step in self.steps]))


def show(ids: Sequence[str]) -> None:
    """The records with these ids, of one text; those of another text than the first are not shown."""
    adapted = _read(ids)
    if not adapted:
        st.button("Adapt to a text", on_click=state.choose, args=("demo", None))
        return
    _head(adapted)
    _figures(adapted)
    st.subheader("What each character costs")
    query = adapted[0].record.query
    panels = [AdaptedText(one.style.name, one.style.colour, one.bits, one.bits_per_byte) for one in adapted]
    character_view(query, panels, key="characters")
    _curves(adapted)
    place = st.container()
    _samples(adapted)
    with st.expander(f"Support set ({wording.size(len(adapted[0].record.support.encode()))})"):
        st.code(adapted[0].record.support, language=None, wrap_lines=True, height=240)
    runs = {one.record.run: _run_name(one.record) for one in adapted}
    with place:  # last, because it may take minutes: the page is whole meanwhile
        adapt_resemblance.show(runs, adapted[0].record.support, query)


def _read(ids: Sequence[str]) -> list[Adapted]:
    store = state.home().store
    records = []
    for record_id in ids:
        try:
            records.append(store.adaptations.get(record_id))
        except NotFoundError as error:
            st.warning(str(error))
    records = [record for record in records if record.query == records[0].query]
    return [
        Adapted(
            record,
            store.adaptations.steps(record.id),
            sorted(store.adaptations.samples(adaptation_id=record.id), key=lambda one: one.adaptation_step),
            style,
        )
        for record, style in zip(records, _styles(records), strict=True)
    ]


def _styles(records: Sequence[AdaptationRecord]) -> list[RunStyle]:
    """How each record is drawn: as its run is everywhere; a second one of a run gets a style of its own."""
    keys = [
        record.run if record.run not in [one.run for one in records[:i]] else record.id
        for i, record in enumerate(records)
    ]
    names = {key: _run_name(record) for key, record in zip(keys, records, strict=True)}
    return list(palette.run_styles(names).values())


def _run_name(record: AdaptationRecord) -> str:
    try:
        return state.home().run(record.run).name
    except MetalmError:
        return f"deleted run {record.run[:4]}"


def _head(adapted: Sequence[Adapted]) -> None:
    record = adapted[0].record
    title, again, delete = st.columns([6, 2, 1], vertical_alignment="bottom")
    title.subheader(wording.plain(record.name))
    title.caption(
        f"query set of {wording.count(len(record.query))} characters after a support set of "
        f"{wording.size(len(record.support.encode()))} · saved {wording.ago(record.created_at)}"
    )
    again.button("Adapt to another text", width="stretch", on_click=state.choose, args=("demo", None))
    ids = [one.record.id for one in adapted]
    with delete:
        delete_button(ids)


def delete_button(ids: Sequence[str]) -> None:
    """Asks once more, then deletes the records with these ids."""
    with st.popover("Delete", width="stretch"):
        st.button("Delete for good", key=f"delete.{ids[0]}", on_click=_forget, args=(ids,))


def _forget(ids: Sequence[str]) -> None:
    for record_id in ids:
        state.home().store.adaptations.delete(record_id)
    state.choose("demo", [one for one in state.choices("demo") if one not in ids])
    state.notice("Deleted.")


def _figures(adapted: Sequence[Adapted]) -> None:
    """Bits per byte before and after, a card a run."""
    for column, one in zip(st.columns(max(2, len(adapted))), adapted, strict=False):
        before, after = one.bits_per_byte[0], one.bits_per_byte[-1]
        seconds = one.steps[-1].seconds
        column.metric(
            f"{one.style.name}: bits per byte",
            f"{after:.3f}",
            delta=f"{after - before:+.3f} from {before:.3f}",
            delta_color="inverse",
            chart_data=one.bits_per_byte if len(one.steps) > 1 else None,
            chart_type="area",
            border=True,
            help=f"after {wording.things(len(one.steps) - 1, 'adaptation step')} in {seconds:.1f} s",
        )


def _curves(adapted: Sequence[Adapted]) -> None:
    styles = {one.record.id: one.style for one in adapted}
    left, right = st.columns(2)
    with left:
        st.markdown("**Over adaptation steps**")
        figure = adaptation_curves(_over_steps(adapted), styles, "adaptation_step")
        chart(figure, key="demo.steps", label="Bits per byte of the query set over adaptation steps")
    with right:
        st.markdown("**Where in the text adaptation pays**")
        figure = saved_along_text(_along(adapted), styles)
        chart(figure, key="demo.saved", label="Bits saved along the query set")


def _over_steps(adapted: Sequence[Adapted]) -> pd.DataFrame:
    return pd.DataFrame(
        {"series": one.record.id, "adaptation_step": step.step, "nats": step.nats, "bytes": step.bytes}
        for one in adapted
        for step in one.steps
    )


def _along(adapted: Sequence[Adapted]) -> pd.DataFrame:
    parts = []
    for one in adapted:
        bits = one.bits
        columns = {"character": np.arange(1, bits.shape[1] + 1), "before": bits[0], "after": bits[-1]}
        parts.append(pd.DataFrame(columns).assign(series=one.record.id))
    return pd.concat(parts)


def _samples(adapted: Sequence[Adapted]) -> None:
    """What the runs write after the support set, before and after they adapted to it."""
    written = [one for one in adapted if one.samples]
    if not written:
        return
    st.subheader("What they write")
    first = written[0].samples[0]
    st.caption(f"After the support set, temperature {first.temperature:g}, seed {first.seed}.")
    for one in written:
        columns = st.columns(2)
        for column, (title, sample) in zip(columns, _ends(one.samples).items(), strict=False):
            column.markdown(f"**{one.style.name}** :gray[{title}]")
            column.code(sample.text or "(nothing)", language=None, wrap_lines=True, height=180)


def _ends(samples: Sequence[Sample]) -> Mapping[str, Sample]:
    titles = {sample.adaptation_step: f"after {sample.adaptation_step} steps" for sample in samples}
    titles[0] = "before adaptation"
    return {titles[sample.adaptation_step]: sample for sample in samples}
