"""Starting a demo: how the chosen runs adapt and write, and the button that sets them off."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import adapt_samples, messages, state, widgets
from metalm.dashboard.adapt_text import CutText, opened
from metalm.dashboard.components.chart import prepare
from metalm.errors import MetalmError
from metalm.jobs.demo import DemoRequest
from metalm.store.run_heads import RunHead
from metalm.store.runs import Run

_TUNED = "as tuned"


def is_ready(run: Run | RunHead) -> bool:
    """The run has weights to adapt: it came to an end, or was stopped with a checkpoint."""
    return run.status == "finished" or (
        run.status == "stopped" and state.home().weights_path(run.id).exists()
    )


def show(runs: Sequence[Run], text: CutText | None) -> None:
    """Settings and the button; the demo runs in the background, and the address names it from then on."""
    with st.expander("Settings"):
        steps, lr = _inner()
        writing = adapt_samples.settings()
    # Never greyed out: the click on it is what ends the typing, and adapts to what was typed.
    pressed = st.button("Adapt", type="primary", icon=":material/bolt:")
    prepare()
    if not pressed:
        return
    if text is None:
        messages.warning("A text is needed first: one that can be cut into a support set and a query set")
        return
    asked = DemoRequest(
        name=text.name,
        support=text.support,
        query=text.query,
        runs=tuple(run.id for run in runs),
        steps=steps,
        lr=lr,
        writing=writing,
    )
    try:
        demo = state.jobs().demos.begin(asked)
    except MetalmError as error:
        messages.error(error)
        return
    for run, split in opened(text.task, runs) if text.task else ():
        state.home().open_meta_test(split.id, run.id)
    state.choose("demo", [part.record_id for part in demo.parts])
    st.rerun()


def _inner() -> tuple[int | None, float | None]:
    """Steps and step size; None is what each run tuned."""
    left, right = st.columns(2)
    with left:
        told = "0 to 200; left empty: what tuning chose for each run"
        steps = widgets.number("Adaptation steps", 0, 200, "adapt_steps", placeholder=_TUNED, help=told)
    with right:
        told = "0 to 100; left empty: each run's own"
        lr = widgets.number("Step size", 0.0, 100.0, "adapt_lr", placeholder=_TUNED, format="%g", help=told)
    return steps, lr
