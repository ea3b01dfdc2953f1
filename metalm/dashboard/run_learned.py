"""What a run learned about adaptation beside its weights: rates, a context map, a Fisher diagonal."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import measures, state, wording
from metalm.dashboard.charts.matrices import rate_heatmap
from metalm.dashboard.components.chart import chart
from metalm.home.learned import learned_table
from metalm.store.runs import Run

_TOLD = {
    "rate": "**Learned rates**: the step size of adaptation for each weight, at the rate that was tuned.",
    "context": "**Context**: how a context of a few numbers, 0 before adaptation, moves the network's input.",
    "fisher": "**Fisher information**: how much each weight matters to what was learned; 1 is the mean. "
    "Adaptation is pulled back where it is large.",
}


def has_any(run: Run) -> bool:
    """Whether the run has learned something beside its weights, and written it."""
    return state.home().learned_path(run.id).exists()


def show(run: Run) -> None:
    """A heat map of rates, and a table of each kind."""
    table = _table(str(state.home().path), run.id, run.step, run.status)
    for kind, told in _TOLD.items():
        own = table[table["kind"] == kind]
        if own.empty:
            continue
        st.markdown(told)
        if kind == "rate":
            rates = measures.rates_by_step(own, "mean")
            low, high = float(rates.min(axis=None)), float(rates.max(axis=None))
            chart(rate_heatmap(rates, low=low, high=high), key="learned", label="Learned rates")
        _show_table(own)


def _show_table(own: pd.DataFrame) -> None:
    shown = own.drop(columns="kind").dropna(axis=1, how="all")
    if (shown["weight"] == "").all():
        shown = shown.drop(columns="weight")
    number = st.column_config.NumberColumn(format="%.4g")
    names = dict.fromkeys(("mean", "smallest", "largest"), number)
    st.dataframe(
        shown,
        hide_index=True,
        width="content",
        height=38 + 35 * min(len(shown), 10),
        column_config={
            **names,
            "adaptation_step": st.column_config.NumberColumn("adaptation step"),
            "numbers": st.column_config.NumberColumn(format="localized", help="how many were learned"),
        },
        alt="What the run learned beside its weights",
    )
    st.caption(f"{wording.count(float(own['numbers'].sum()))} numbers, kept beside the weights.")


@st.cache_data(max_entries=16, show_spinner=False)
def _table(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    run_id: str,
    step: int,  # noqa: ARG001 - nor outlive the weights that the run has left
    status: str,  # noqa: ARG001
) -> pd.DataFrame:
    return learned_table(state.home(), run_id)
