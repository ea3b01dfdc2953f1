"""What a run would take: time, memory and disk, from a few outer steps of that very config, made at once."""

from __future__ import annotations

import streamlit as st

from metalm.config import RunConfig
from metalm.dashboard import messages, state, wording
from metalm.errors import MetalmError
from metalm.jobs.calibrations import Calibration
from metalm.learn.estimates import Estimate, Forecast, forecast


def show(split: str, config: RunConfig, seeds: int) -> None:
    """A button that measures, then the figures; they hold for any budget and seed."""
    calibration = state.jobs().calibrations.find(config, split)
    with st.container(border=True):
        if calibration is None:
            _offer(split, config)
        elif calibration.is_over:
            _outcome(calibration, split, config, seeds)
        else:
            st.fragment(run_every=0.5)(_progress)(calibration)


def _offer(split: str, config: RunConfig) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**How long will it take?** :gray[A few outer steps of this very run tell, in seconds.]",
            width="stretch",
        )
        icon = ":material/timer:"
        st.button("Estimate time and memory", icon=icon, on_click=_begin, args=(split, config))


def _begin(split: str, config: RunConfig) -> None:
    try:
        state.jobs().calibrations.begin(config, split)
    except MetalmError as error:
        messages.notice(str(error), "error")


def _progress(calibration: Calibration) -> None:
    if calibration.is_over:
        st.rerun()  # the whole page: the figures stand still
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(calibration.share, text="Making a few outer steps, one meta-validation, one tuning …")
        st.button("Cancel", on_click=state.jobs().calibrations.cancel, args=(calibration,))


def _outcome(calibration: Calibration, split: str, config: RunConfig, seeds: int) -> None:
    try:
        estimate = calibration.estimate()
    except MetalmError as error:
        messages.error(error)
        return
    except RuntimeError as error:  # torch's way to say that memory is not enough
        messages.error(f"The first steps of such a run failed: {error}")
        return
    expected = forecast(estimate, config)
    _figures(estimate, expected)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_told(estimate, expected, calibration, seeds), width="stretch")
        icon = ":material/refresh:"
        st.button("Measure again", icon=icon, type="tertiary", on_click=_begin, args=(split, config))


def _figures(estimate: Estimate, expected: Forecast) -> None:
    memory = max(estimate.memory_bytes, sum(estimate.memory_parts.values()))
    figures = {
        "Time in all": (wording.duration(expected.seconds), _time_told(expected)),
        "An outer step": (wording.seconds(estimate.step_seconds), "without meta-validation"),
        "Tokens / s": (wording.count(estimate.tokens_per_second), "tokens trained on"),
        "Memory on top": (wording.size(memory), _memory_told(estimate)),
        "On disk": (
            wording.size(expected.disk_bytes),
            f"weights {wording.size(estimate.weights_bytes)}, checkpoint "
            f"{wording.size(estimate.checkpoint_bytes)}, the rest is curves",
        ),
    }
    with st.container(horizontal=True):
        for label, (value, told) in figures.items():
            st.metric(label, value, help=told, width="stretch")


def _time_told(expected: Forecast) -> str:
    parts = [f"training {wording.duration(expected.training_seconds)}"]
    if expected.validations:
        validations = wording.things(expected.validations, "meta-validation")
        parts.append(f"{validations} {wording.duration(expected.validation_seconds)}")
        parts.append(f"tuning at the end {wording.duration(expected.tuning_seconds)}")
    return ", ".join(parts)


def _memory_told(estimate: Estimate) -> str:
    """What was seen, and what the shapes say it is for."""
    whose = "on the GPU" if estimate.device == "cuda" else "by the process"
    parts = ", ".join(f"{name} {wording.size(size)}" for name, size in estimate.memory_parts.items())
    return (
        f"At most, beyond what is taken now. Measured: {wording.size(estimate.memory_bytes)} more {whose}. "
        f"From the shapes: {parts}. The larger of both is shown."
    )


def _told(estimate: Estimate, expected: Forecast, calibration: Calibration, seeds: int) -> str:
    steps = wording.things(estimate.steps_measured, "outer step")
    told = (
        f"For {wording.things(expected.steps, 'outer step')}, {wording.count(expected.tokens)} tokens, "
        f"{wording.count(expected.gradient_evaluations)} gradient evaluations, "
        f"{wording.count(expected.flops)} FLOPs. Measured over {steps} on {estimate.device}; holds for any "
        "budget and seed."
    )
    if seeds > 1:
        told += f" All {seeds} seeds, one after another: {wording.duration(seeds * expected.seconds)}."
    if calibration.beside_work:
        told += " Something else was running: alone it is faster."
    return told
