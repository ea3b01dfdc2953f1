"""The controls above curves: along what, in which unit, log axes, smoothing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import state
from metalm.dashboard.charts.lines import CurveView
from metalm.evaluate.statistics import UNITS
from metalm.store.runs import Run

_ALONG = {
    "step": "outer steps",
    "tokens": "tokens",
    "wall_seconds": "seconds",
    "gradient_evaluations": "gradient evaluations",
    "flops": "estimated FLOPs",
}
_COUNTED = ("gradient_evaluations", "flops")  # not of every run
_ALONG_HELP = (
    "what runs are set side by side by. Gradient evaluations: tokens whose gradient was taken, Hessian "
    "products at what they cost. FLOPs: estimated from the shapes of the network. Both compare "
    "algorithms at equal compute, whatever the machine."
)
_NO_LOG, _LOG_X, _LOG_Y, _LOG_BOTH = "linear", "log x", "log y", "log both"


def choose(*, has_unit: bool = True) -> CurveView:
    """One row of controls; what they say. has_unit: the curves are losses, which have one."""
    along, *unit, scale, smooth = st.columns([2] * (2 + has_unit) + [3], vertical_alignment="bottom")
    with along:
        x = state.select("Along", list(_ALONG), "x", format_func=_ALONG.get, help=_ALONG_HELP)
    chosen = CurveView().unit
    if has_unit:
        with unit[0]:
            chosen = state.select("Unit", list(UNITS), "unit")
    with scale:
        log = state.select("Axes", [_NO_LOG, _LOG_X, _LOG_Y, _LOG_BOTH], "axes")
    with smooth:
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.98,
            0.0,
            0.02,
            key="curves.smoothing",
            persist_state="session",
            help="share kept of the past; the raw line stays behind the smoothed one",
        )
    return CurveView(
        unit=chosen,
        x=x,
        log_x=log in (_LOG_X, _LOG_BOTH),
        log_y=log in (_LOG_Y, _LOG_BOTH),
        smoothing=smoothing,
    )


def tell_uncounted(runs: Sequence[Run], points: pd.DataFrame, view: CurveView) -> None:
    """Say which runs are missing in `points` (column run) because they did not count what x is."""
    absent = [run.name for run in runs if view.x in _COUNTED and run.id not in set(points["run"])]
    if absent:
        st.info(
            f"{', '.join(absent)}: no count of {_ALONG[view.x]}, since it was trained by an older metalm "
            "or has made no outer step yet. Along outer steps, tokens or seconds it is shown."
        )
