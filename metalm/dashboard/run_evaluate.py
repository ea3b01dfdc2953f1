"""Asking for an evaluation: which split and role, how much support, how many steps."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import state, wording
from metalm.errors import MetalmError
from metalm.store.runs import Run

_SUPPORT = [0, 512, 2048, 10240, 51200, 204800]
_OWN_STEPS = "as tuned"


@st.dialog("Evaluate", width="medium")
def ask(runs: list[Run]) -> None:
    """The dialog; an evaluation job joins the queue."""
    st.markdown(", ".join(f"**{run.name}**" for run in runs))
    splits = [split.name for split in state.home().splits()]
    own = state.home().split(runs[0].split_id).name
    with st.form("evaluate", border=False):
        split = st.selectbox("Split", splits, splits.index(own))
        role = st.segmented_control(
            "Tasks of the role",
            ["meta-validation", "meta-test"],
            default="meta-validation",
            required=True,
            help="Nothing may be chosen by meta-test: opening it is recorded and counted for the split.",
        )
        support = st.multiselect(
            "Sizes of the support set",
            _SUPPORT,
            [0, 2048, 10240],
            format_func=wording.size,
            help="bytes before the query set",
        )
        steps = st.number_input(
            "Adaptation steps", 0, 1000, None, placeholder=_OWN_STEPS, help="left empty: the run's own"
        )
        baselines = st.checkbox(
            "Baselines too", help="uniform, unigram, from scratch, joint: on the very same bytes"
        )
        if not st.form_submit_button("Evaluate", type="primary"):
            return
    try:
        state.jobs().evaluate(
            [run.id for run in runs],
            split=split,
            role=role,
            support=tuple(sorted(support)),
            steps=steps,
            baselines=baselines,
        )
    except MetalmError as error:
        st.error(str(error))
        return
    state.notice("The evaluation is in the queue; its results show here as they come.")
    state.choose("look", "Results")
    st.rerun()
