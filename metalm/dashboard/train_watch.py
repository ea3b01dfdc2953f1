"""A run while it trains: how far, how fast, how well, what it takes from the machine, what it says."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from metalm.dashboard import (
    curve_controls,
    curve_data,
    diagnostics,
    empty,
    glossary,
    messages,
    palette,
    state,
    widgets,
    wording,
)
from metalm.dashboard.charts.curves import learning_curves
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.charts.resources import RESOURCES, resource_curves
from metalm.dashboard.components.chart import chart
from metalm.errors import NotFoundError
from metalm.store.runs import Run

ACTIVE = ("running", "queued")
_PARTS = ("support", "query", "validation")
_LOOKS = ["Curves", "Diagnostics", "Machine", "Log"]


def show() -> None:
    """Choose a run and watch it."""
    runs = state.home().run_heads()
    if not runs:
        empty.nothing(
            "No run yet.",
            "Launch one, and its curves grow here.",
            page="Train",
            label="Set up a run",
            view="New run",
        )
        return
    runs = sorted(runs, key=lambda run: (*ACTIVE, run.status).index(run.status))
    known = {run.name: run.id for run in runs}
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        run = state.home().run(known[widgets.select("Run", list(known), "watch", pinned=True)])
    with right:
        look = widgets.switch("Look at", _LOOKS, "look")
    view = curve_controls.choose([run]) if look == "Curves" else CurveView()
    panel(run, look, view, can_resume=True)


def panel(run: Run, look: str, view: CurveView, *, can_resume: bool = False) -> None:
    """The run, drawn anew every two seconds as long as it is queued or running. can_resume: see `head`."""
    if run.status in ACTIVE:
        st.fragment(run_every=2)(_panel)(run.id, look, view, is_live=True)
    else:
        _panel(run.id, look, view, can_resume=can_resume)
    if look == "Diagnostics":  # with controls of its own, which are not to be drawn every two seconds
        diagnostics.show([run])


def _panel(
    run_id: str, look: str, view: CurveView, *, is_live: bool = False, can_resume: bool = False
) -> None:
    try:
        run = state.home().run(run_id)
    except NotFoundError:
        st.rerun()  # deleted meanwhile: the whole page finds another
    if is_live and run.status not in ACTIVE:
        st.rerun()  # the whole page: it need not be drawn again and again any more
    messages.show_notices()
    head(run, can_resume=can_resume)
    if look == "Curves":
        _curves(run, view)
    elif look == "Machine":
        _machine(run)
    elif look == "Log":
        st.code(state.home().log(run.id) or "nothing yet", language=None, height=420)


def head(run: Run, *, can_resume: bool = False) -> None:
    """Status, progress and key figures; a stop button; why it failed.

    can_resume: a button that resumes stands in its place, where the page has no actions of its own.
    """
    last = _last(run.id)
    with st.container(border=True):
        title, button = st.columns([5, 1], vertical_alignment="center")
        title.markdown(
            f"**{wording.plain(run.name)}** {wording.status_badge(run.status)} "
            f":gray[{run.algorithm}{f' on {run.device}' if run.device else ''}]"
        )
        if run.status in ACTIVE:
            look = {"icon": ":material/stop:", "key": f"stop.{run.id}", "width": "stretch"}
            button.button("Stop", on_click=_stop, args=(run,), **look)
        elif can_resume and state.home().resumable(run):
            look = {"icon": ":material/play_arrow:", "key": f"resume.{run.id}", "width": "stretch"}
            button.button("Resume", on_click=_resume, args=(run,), **look)
        st.progress(min(1.0, run.progress), text=progress(run))
        figures = {
            "Bits per byte": _bits(run),
            "Outer steps": (
                wording.count(run.step),
                f"{glossary.TERMS['outer step']}; {wording.count(run.tokens)} tokens trained on",
            ),
            "Tokens / s": (wording.count(last.get("tokens_per_second")), None),
            "CPU": (_percent(last.get("cpu_percent")), "100 % is one core"),
            "Memory": (wording.size(last.get("memory_bytes")), "of the whole process"),
        }
        if "gpu_percent" in last:
            used = f"memory {wording.size(last.get('gpu_memory_bytes'))}"
            figures["GPU"] = (_percent(last["gpu_percent"]), used)
        for column, (label, (value, help)) in zip(st.columns(len(figures)), figures.items(), strict=True):
            column.metric(label, value, help=help)
    failure(run)


def _bits(run: Run) -> tuple[str, str]:
    """The figure that tables of runs have, too, and what it is."""
    as_validated = f"{wording.number(run.best_value)} at the best step, after adaptation as validated"
    if run.tuned_value is None:
        return wording.number(run.best_value), f"on meta-validation: {as_validated}"
    return wording.number(run.tuned_value), f"on meta-validation, after adaptation as tuned; {as_validated}"


def failure(run: Run) -> None:
    """What went wrong with a failed or interrupted run."""
    if run.status == "interrupted":
        st.warning("The process that trained it ended. Resume goes on from its last checkpoint.")
    if run.error:
        messages.error(run.error)
    if run.traceback:
        with st.expander("Traceback"):
            st.code(run.traceback, language=None)


def _stop(run: Run) -> None:
    def action() -> str:
        state.jobs().stop(run.id)
        return f"{run.name} stops after this adaptation step, with a checkpoint."

    state.attempt(action)


def _resume(run: Run) -> None:
    def action() -> str:
        state.jobs().resume(run.id)
        return f"{run.name}: in the queue."

    state.attempt(action)


def progress(run: Run) -> str:
    """How far a run is, in words."""
    if run.status == "queued":
        return "waiting in the queue"
    if run.status == "running" and run.progress >= 1:
        return "tuning the adaptation on meta-validation tasks"
    if run.status == "running" and run.progress <= 0:
        return "reading texts, making the first outer step"
    told = f"{100 * run.progress:.0f} % after {wording.duration(run.seconds)}"
    return f"{told}, {wording.eta(run.seconds, run.progress)} to go" if run.status == "running" else told


def _percent(value: float | None) -> str:
    return wording.NOTHING if value is None else f"{value:.0f} %"


def _last(run_id: str) -> dict[str, float]:
    """The newest sample of each resource."""
    rows = state.home().store.metrics.last([run_id], list(RESOURCES))
    return dict(zip(rows["name"], rows["value"], strict=True))


def _curves(run: Run, view: CurveView) -> None:
    name = f"seen.{view.x}"
    seen = state.looked_at(name)
    curve = _curve(str(state.home().path), run.id, run.step, run.status, view.x, seen)
    curve_controls.tell_uncounted([run] if run.step > 0 else [], curve, view)
    if curve.empty:
        st.info("The first points come after the first outer step.")
        return
    home = state.home()
    lost = curve_data.lost(home.store.metrics, curve, home.store.splits.task_names())
    figure = learning_curves(curve, palette.run_styles({run.id: run.name}), view, lost=lost)
    chart(
        figure,
        key=f"live.{run.id}",
        label=f"Learning curves of {run.name}",
        view=f"{view}",
        look=partial(state.look_at, name),
        seen=seen,
        group="curves",
    )
    st.caption(curve_data.told(curve))
    st.caption(
        "Query: the loss that the outer loop learns from. Validation: meta-validation tasks after adaptation."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _curve(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    run_id: str,
    step: int,  # noqa: ARG001 - and it holds until the next report
    status: str,  # noqa: ARG001 - or until the run has ended, when nothing is waiting to be written any more
    x: str,
    within: tuple[float, float] | None,
) -> pd.DataFrame:
    """Losses of all parts: see `metalm.store.metrics`; the column `part` says which."""
    return curve_data.gather(state.home().store.metrics, [run_id], _PARTS, x, within=within)


def _machine(run: Run) -> None:
    metrics = state.home().store.metrics
    samples = pd.concat(
        [metrics.scalar_curve([run.id], name, x="wall_seconds").assign(name=name) for name in RESOURCES]
    ).rename(columns={"x": "wall_seconds"})
    if samples.empty:
        st.info("Samples of the machine's use come about every two seconds while a run trains.")
        return
    chart(resource_curves(samples), key=f"machine.{run.id}", label=f"Use of the machine by {run.name}")
