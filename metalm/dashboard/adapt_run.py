"""Adapting the chosen runs to a text, step by step before the reader's eyes; the outcome is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from metalm import units
from metalm.dashboard import state, wording
from metalm.dashboard.adapt_text import CutText, opened
from metalm.errors import MetalmError
from metalm.evaluate.live import LiveStep
from metalm.evaluate.sampling import as_text
from metalm.store.adaptations import Sample
from metalm.store.runs import Run

_TUNED = "as tuned"
_SEED = 0  # of the samples: before and after differ by the weights alone


@dataclass(frozen=True, kw_only=True)
class Demo:
    """How the runs are adapted and what they write. None: each run's own tuned value."""

    steps: int | None
    lr: float | None
    sample_bytes: int
    temperature: float


def is_ready(run: Run) -> bool:
    """The run has weights to adapt: it came to an end, or was stopped with a checkpoint."""
    return run.status == "finished" or (
        run.status == "stopped" and state.home().weights_path(run.id).exists()
    )


def show(runs: Sequence[Run], text: CutText | None) -> None:
    """Settings and the button; while it works, a line of progress a run."""
    with st.expander("Settings"):
        demo = _settings()
    pressed = st.button("Adapt", type="primary", icon=":material/bolt:", disabled=text is None)
    if not pressed or text is None:
        return
    label = f"Adapting {wording.things(len(runs), 'run')} to “{wording.plain(text.name)}” …"
    with st.status(label, expanded=True):
        # Any click ends this script run at its next step; this button says so.
        st.button("Stop", help="what is not done yet is not saved")
        for run, split in opened(text.task, runs) if text.task else ():
            state.home().open_meta_test(split.id, run.id)
        saved = [record for run in runs if (record := _adapt(run, text, demo))]
    if saved:
        state.choose("demo", saved)
    st.rerun()


def _settings() -> Demo:
    steps, lr, sampled, temperature = st.columns(4)
    return Demo(
        steps=steps.number_input(
            "Adaptation steps",
            0,
            200,
            None,
            placeholder=_TUNED,
            help="0 to 200; left empty: what tuning chose for each run",
        ),
        lr=lr.number_input(
            "Step size",
            0.0,
            100.0,
            None,
            placeholder=_TUNED,
            format="%g",
            help="0 to 100; left empty: each run's own",
        ),
        sample_bytes=sampled.number_input("Bytes of the samples", 0, 2000, 300, 50),
        temperature=temperature.number_input(
            "Temperature", 0.0, 2.0, 0.8, 0.1, help="of the samples: 0 takes the likeliest token every time"
        ),
    )


def _adapt(run: Run, text: CutText, demo: Demo) -> str | None:
    """The id of the saved record; None when the run cannot adapt, which the next rerun says."""
    bar = st.progress(0.0, text=f"**{run.name}**: loading")
    home = state.home()
    try:
        inner = home.load(run.id).inner
        changed = {"steps": demo.steps, "lr": demo.lr}
        inner = replace(inner, **{name: value for name, value in changed.items() if value is not None})
        steps: list[LiveStep] = []
        for step in home.adapt(run.id, text.support, text.query, steps=inner.steps, lr=inner.lr):
            steps.append(step)
            bar.progress((step.step + 1) / (inner.steps + 1), text=_told(run, steps, inner.steps))
        ends = steps[:1] if len(steps) == 1 else [steps[0], steps[-1]]
        samples = [_written(run, text, demo, step) for step in ends if demo.sample_bytes]
        record = home.save_adaptation(
            run.id, text.name, text.support.decode(), text.query.decode(), steps, inner=inner, samples=samples
        )
    except MetalmError as error:
        state.notice(f"{run.name}: {error}", "error")
        return None
    return record.id


def _written(run: Run, text: CutText, demo: Demo, step: LiveStep) -> Sample:
    """What the run writes after the support set, with the weights of `step`; the same seed at every step."""
    pieces = state.home().sample(
        run.id,
        support=text.support,
        num_bytes=demo.sample_bytes,
        temperature=demo.temperature,
        seed=_SEED,
        weights=step.weights,
    )
    return Sample(
        run=run.id,
        adaptation_step=step.step,
        prompt="",
        text="".join(as_text(pieces)),
        temperature=demo.temperature,
        seed=_SEED,
    )


def _told(run: Run, steps: Sequence[LiveStep], total: int) -> str:
    first, now = (units.bits_per_byte(step.score.nats, step.score.bytes) for step in (steps[0], steps[-1]))
    since = f", {now - first:+.3f} since step 0" if len(steps) > 1 else ""
    return f"**{run.name}**: step {steps[-1].step} of {total} · {now:.3f} bits per byte{since}"
