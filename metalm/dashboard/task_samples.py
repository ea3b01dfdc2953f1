"""What a run writes after a task's text, before adaptation and after it, beside how the text goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from metalm import units
from metalm.dashboard import contents, messages, state, task_text, widgets, wording
from metalm.dashboard.adapt_run import is_ready
from metalm.dashboard.charts.frame import bytes_label
from metalm.errors import MetalmError
from metalm.evaluate.live import LiveStep
from metalm.store.adaptations import Sample
from metalm.store.runs import Run
from metalm.text.splits import Split, SplitTask
from metalm.text.tasks import TaskText

_SUPPORT = {str(size): bytes_label(size) for size in (512, 2048, 10240)}
_QUERY_BYTES = 1024  # scored beside the samples
_WRITTEN_BYTES = 300
_SEED = 0  # of the samples: before and after differ by the weights alone


@dataclass(frozen=True)
class _Written:
    """Samples before adaptation and after its last step, each with its bits per byte on the query set."""

    texts: tuple[str, str]
    bits: tuple[float, float]
    steps: int
    demo: str  # id of the saved demo


def show(split: Split, member: SplitTask) -> None:
    """Chooses a run and a support size, lets it write when asked to, and shows what it wrote."""
    try:
        text = state.home().text_of(member.task)
    except MetalmError as error:
        messages.warning(error)
        return
    runs = {run.name: run.id for run in state.home().run_heads() if is_ready(run)}
    if not runs:
        st.info("No run has weights yet: the first that finishes can write here.")
        return
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    with left:
        run = state.home().run(runs[widgets.select("Run", list(runs), "run", pinned=True)])
    with middle:
        size = int(
            widgets.select("Support set", list(_SUPPORT), "support", index=1, format_func=_SUPPORT.get)
        )
    with right:
        asked = st.button("Write", type="primary", icon=":material/edit_note:", width="stretch")
    if state.home().has_seen(run.id, member.task):
        st.warning(
            f"{wording.plain(run.name)} learned from this text: what adaptation brings here proves nothing."
        )
    mark = ("written", run.id, run.step, member.task.id, size)
    if not task_text.is_open(split, member, run.id):
        task_text.offer(split, member, f"Open meta-test for {wording.plain(run.name)}", run.id)
        return
    if asked:
        written = _write(run, text, size)
        if written is not None:
            state.keep_result(mark, written)
            st.rerun()  # without the line of progress and its button
    written = state.kept_result(mark)
    if written is None:
        st.caption(
            "The run adapts to the support set, and writes on from its end: once with slow weights, once "
            "with fast ones."
        )
        return
    _show(written, text)


def _write(run: Run, text: TaskText, size: int) -> _Written | None:
    """Adapts and writes, with its progress; kept as a demo."""
    begin, end = text.support(size) or (0, text.cut.train_end)
    support, query = text.read(begin, end), text.read(*text.query(_QUERY_BYTES))
    steps: list[LiveStep] = []
    try:
        with st.status(
            f"{wording.plain(run.name)} adapts to {wording.plain(text.task.name)} …", expanded=True
        ):
            # Any click ends this script run at its next step; this button says so.
            st.button("Stop", help="nothing of it is kept")
            line = st.empty()
            for step in state.home().adapt(run.id, support, query):
                line.caption(f"step {step.step}: {_bits(step):.3f} bits per byte")
                if len(steps) > 1:  # weights are large; the ends alone write
                    steps[-1] = replace(steps[-1], weights={})
                steps.append(step)
            samples = [_sample(run, support, step) for step in (steps[0], steps[-1])]
            demo = state.home().save_adaptation(
                run.id,
                text.task.name,
                support.decode(),
                query.decode(),
                steps,
                samples=samples,
            )
    except MetalmError as error:
        messages.error(error)
        return None
    before, after = samples
    bits = _bits(steps[0]), _bits(steps[-1])
    return _Written((before.text, after.text), bits, steps[-1].step, demo.id)


def _bits(step: LiveStep) -> float:
    return units.bits_per_byte(step.score.nats, step.score.bytes)


def _sample(run: Run, support: bytes, step: LiveStep) -> Sample:
    pieces = state.home().sample(
        run.id, support=support, num_bytes=_WRITTEN_BYTES, seed=_SEED, weights=step.weights
    )
    written = b"".join(pieces).decode(errors="replace")
    return Sample(run=run.id, adaptation_step=step.step, prompt="", text=written, temperature=1.0, seed=_SEED)


def _show(written: _Written, text: TaskText) -> None:
    """Three columns: before, after, and the text itself."""
    before, after, real = st.columns(3)
    begin, end = text.cut.train_end, min(text.cut.train_end + _WRITTEN_BYTES, text.size)
    really = text.read(begin, end).decode(errors="ignore")
    costs = [f"{bits:.3f} bits per byte" for bits in written.bits]
    steps = wording.things(written.steps, "step")
    told = (
        (before, "Before adaptation", costs[0], written.texts[0]),
        (after, f"After {steps}", costs[1], written.texts[1]),
        (real, "The text itself", "after the support set", really),
    )
    for column, head, told_of, shown in told:
        with column, st.container(border=True):
            st.markdown(f"**{head}** :gray[{told_of}]")
            st.code(shown, language=None, wrap_lines=True, height=240)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Both drawn with the same seed at temperature 1; kept as a demo.", width="content")
        contents.link("Adapt", "Every character of it", demo=written.demo)
