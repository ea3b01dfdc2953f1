"""The controls above curves: along what, in which unit, log axes, smoothing, outliers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import state, widgets, wording
from metalm.dashboard.charts.lines import CurveView
from metalm.evaluate.statistics import UNITS
from metalm.store.runs import Run

_ALONG = {
    "step": "outer steps",
    "tokens": "tokens",
    "wall_seconds": "seconds of training",
    "clock_seconds": "seconds by the clock",
    "gradient_evaluations": "gradient evaluations",
    "flops": "estimated FLOPs",
}
_ALONG_HELP = (
    "what runs are set side by side by. Seconds of training: of the process, pauses left out; by the clock: "
    "since it began, pauses included. Gradient "
    "evaluations: tokens whose gradient was taken, Hessian products at what they cost. FLOPs: estimated from "
    "the shapes of the network. Both compare algorithms at equal compute, whatever the machine. Below these: "
    "any number that these runs measured."
)
_NO_LOG, _LOG_X, _LOG_Y, _LOG_BOTH = "linear", "log x", "log y", "log both"
_SMOOTHING_HELP = (
    "share kept of the past for every hundredth of the x axis, whatever the number of points; sums of nats "
    "are smoothed, and the raw line stays behind"
)


def choose(runs: Sequence[Run] = (), *, has_unit: bool = True) -> CurveView:
    """One row of controls; what they say. runs: whose scalars may be x axes too. has_unit: of losses."""
    along, *unit, scale, smooth, outliers = st.columns(
        [4] * (2 + has_unit) + [3, 4], vertical_alignment="bottom"
    )
    axes = [*_ALONG, *_scalars(runs)]
    with along:
        x = widgets.select("Along", axes, "x", format_func=along_name, help=_ALONG_HELP)
    chosen = CurveView().unit
    if has_unit:
        with unit[0]:
            chosen = widgets.select("Unit", list(UNITS), "unit")
    with scale:
        log = widgets.select("Axes", [_NO_LOG, _LOG_X, _LOG_Y, _LOG_BOTH], "axes")
    with smooth:
        smoothing = widgets.slider("Smoothing", 0.0, 0.98, 0.0, "smoothing", step=0.02, help=_SMOOTHING_HELP)
    with outliers:
        inliers = widgets.flag("Hide outliers", "inliers", help="the y axes end where 96 % of the points do")
    return CurveView(
        unit=chosen,
        x=x,
        log_x=log in (_LOG_X, _LOG_BOTH),
        log_y=log in (_LOG_Y, _LOG_BOTH),
        smoothing=smoothing,
        inliers=inliers,
    )


def along_name(x: str) -> str:
    """What an x axis is called."""
    return _ALONG.get(x) or x.replace("_", " ")


def _scalars(runs: Sequence[Run]) -> list[str]:
    """The other numbers that any of these runs measured."""
    found = _measured(
        str(state.home().path), tuple(run.id for run in runs), sum(run.step > 0 for run in runs)
    )
    return [name for name in found if name not in _ALONG]


@st.cache_data(max_entries=64, ttl=300, show_spinner=False)
def _measured(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    run_ids: tuple[str, ...],
    num_begun: int,  # noqa: ARG001 - nor keep what it found before a run's first step
) -> list[str]:
    return state.home().store.metrics.scalars(run_ids)


def tell_uncounted(runs: Sequence[Run], points: pd.DataFrame, view: CurveView) -> None:
    """Say which runs are missing in `points` (column run) because they did not measure what x is."""
    if view.x in ("step", "tokens", "wall_seconds"):
        return
    known = set(points["run"].unique())  # one by one, thousands take long
    absent = [run.name for run in runs if run.id not in known]
    if absent:
        names = wording.plain(", ".join(absent))
        st.info(
            f"{names}: no count of {along_name(view.x)}, since it was trained by an older metalm "
            "or has made no outer step yet. Along outer steps, tokens or seconds it is shown."
        )
