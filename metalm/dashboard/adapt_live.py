"""A demo while it runs: its steps as they arrive, and a button that stops it. Nothing else ends it."""

from __future__ import annotations

import streamlit as st

from metalm import units
from metalm.dashboard import adapt_samples, adapt_view, messages, state, wording
from metalm.dashboard.adapt_shown import of_demo, run_name
from metalm.jobs.demo import Demo, Part

_EVERY = 0.5  # seconds between two looks
_PATIENCE = 0.6  # seconds that the page may wait for the first step, to show it at once


def show(demo: Demo) -> None:
    """Drawn anew twice a second until the demo is over; then the whole page shows what was saved."""
    st.subheader(wording.plain(demo.asked.name))
    baselines = adapt_view.chosen_baselines()
    with st.spinner("Reads the text", show_time=True):
        demo.began.wait(_PATIENCE)
    st.fragment(run_every=_EVERY)(_panel)(demo, baselines)


def _panel(demo: Demo, baselines: list[str]) -> None:
    if demo.is_over:
        leave(demo)
        st.rerun()
    _head(demo)
    adapted = of_demo(demo)
    if not adapted:
        return
    support, query = demo.asked.support.decode(), demo.asked.query.decode()
    adapt_view.show(adapted, baselines, support, query, is_live=True)
    if any(one.samples for one in adapted):
        st.subheader("What they write")
        adapt_samples.texts(adapted)


def leave(demo: Demo) -> None:
    """Of a demo that is over: the address keeps the records that there are, and what failed is said once."""
    for part in demo.parts:
        if part.error:
            messages.notice(f"{run_name(part.run_id)}: {part.error}", "error")
    state.choose("demo", [part.record_id for part in demo.parts if part.is_saved])
    demo.wait()  # a bug in the thread is a bug here


def _head(demo: Demo) -> None:
    """What it does, how far each run is, and how to stop it."""
    with st.container(border=True):
        said, stop = st.columns([5, 1], vertical_alignment="center")
        said.markdown(f"**{demo.doing.capitalize()} …** :gray[it goes on when this page is left]")
        stop.button(
            "Stop",
            icon=":material/stop:",
            on_click=demo.stop,
            width="stretch",
            disabled=demo.stop_asked,
            help="the steps that were made are kept",
        )
        for part in demo.parts:
            _progress(part)


def _progress(part: Part) -> None:
    name, steps = wording.plain(run_name(part.run_id)), list(part.steps)
    if part.error:
        messages.error(f"{name}: {part.error}")
    elif part.total is None or not steps:
        st.progress(0.0, text=f"**{name}**: loading")
    else:
        st.progress(len(steps) / (part.total + 1), text=_told(name, part, steps))


def _told(name: str, part: Part, steps: list) -> str:
    first, now = (units.bits_per_byte(step.score.nats, step.score.bytes) for step in (steps[0], steps[-1]))
    since = f", {now - first:+.3f} since step 0" if len(steps) > 1 else ""
    left = part.seconds_left
    eta = "" if left is None else f" · {wording.duration(left)} left"
    return f"**{name}**: step {steps[-1].step} of {part.total} · {now:.3f} bits per byte{since}{eta}"
