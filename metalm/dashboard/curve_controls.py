"""The controls above learning curves: along what, in which unit, log axes, smoothing."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import state
from metalm.dashboard.charts.curves import CurveView
from metalm.evaluate.statistics import UNITS

_ALONG = {"step": "outer steps", "tokens": "tokens", "wall_seconds": "seconds"}
_NO_LOG, _LOG_X, _LOG_Y, _LOG_BOTH = "linear", "log x", "log y", "log both"


def choose() -> CurveView:
    """One row of controls; what they say."""
    along, unit, scale, smooth = st.columns([2, 2, 2, 3], vertical_alignment="bottom")
    with along:
        x = state.select("Along", list(_ALONG), "x", format_func=_ALONG.get)
    with unit:
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
