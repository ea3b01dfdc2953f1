"""What the runs of a demo write before and after they adapted, as it is written; and writing anew."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import messages, state, widgets, wording
from metalm.dashboard.adapt_shown import Adapted, of_demo
from metalm.jobs.demo import Demo, Writing
from metalm.store.adaptations import Sample

_EVERY = 0.4  # seconds between two looks at what is written


def settings() -> Writing:
    """How runs are to write, in four fields side by side."""
    first, second, third, fourth = st.columns(4)
    with first:
        told = "0 lets nobody write"
        size = widgets.number("Bytes of the samples", 0, 2000, "write_bytes", default=300, step=50, help=told)
    with second:
        told = "of the samples: 0 takes the likeliest token every time"
        heat = widgets.number("Temperature", 0.0, 2.0, "temperature", default=0.8, step=0.1, help=told)
    with third:
        told = "draw from the fewest likeliest tokens whose chances come to this; 1 draws from all"
        top_p = widgets.number("Top-p", 0.01, 1.0, "top_p", default=1.0, step=0.05, help=told)
    with fourth:
        told = "the same seed gives the same text"
        seed = widgets.number("Seed", 0, 2**31 - 1, "write_seed", default=0, help=told)
    return Writing(num_bytes=size, temperature=heat, top_p=top_p, seed=seed)


def show(adapted: Sequence[Adapted], *, can_write: bool = True) -> None:
    """The texts, before and after side by side. can_write: offers to write anew."""
    ids = [one.key for one in adapted]
    writing = state.jobs().demos.find(ids)
    under_way = writing is not None and not writing.is_over
    if not (under_way or can_write or any(one.samples for one in adapted)):
        return
    st.subheader("What they write")
    if under_way:
        st.fragment(run_every=_EVERY)(_live)(writing)
        return
    if writing is not None:
        for error in [part.error for part in writing.parts if part.error]:
            messages.error(error)
    texts(adapted)
    if can_write:
        with st.popover("Write anew", icon=":material/edit:"):
            wanted = settings()
            st.caption("The runs adapt again first, as they did; the texts here are replaced.")
            if st.button("Write", type="primary"):
                state.jobs().demos.rewrite(ids, wanted)
                st.rerun()


def _live(demo: Demo) -> None:
    if demo.is_over:
        st.rerun()
    said, stop = st.columns([5, 1], vertical_alignment="center")
    said.caption(f"{demo.doing} …")
    stop.button("Stop", key="stop.writing", on_click=demo.stop, width="stretch")
    texts(of_demo(demo))


def texts(adapted: Sequence[Adapted]) -> None:
    """Each run's texts, with how they were drawn."""
    written = [one for one in adapted if one.samples]
    if not written:
        return
    first = written[0].samples[0]
    nucleus = f", top-p {first.top_p:g}" if first.top_p < 1 else ""
    st.caption(f"After the support set, temperature {first.temperature:g}{nucleus}, seed {first.seed}.")
    for one in written:
        ordered = sorted(one.samples, key=lambda sample: sample.adaptation_step)
        for column, sample in zip(st.columns(2), (ordered[0], *ordered[1:][-1:]), strict=False):
            column.markdown(f"**{wording.plain(one.style.name)}** :gray[{when(sample)}]")
            column.code(sample.text or "…", language=None, wrap_lines=True, height=180)


def when(sample: Sample) -> str:
    """Before adaptation, or after how many steps."""
    steps = sample.adaptation_step
    return f"after {steps} steps" if steps else "before adaptation"
