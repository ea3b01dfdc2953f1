"""What several selected runs have to do with one another: which settings differ, and who stems from whom."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import compare_settings, state, widgets, wording
from metalm.dashboard.charts.lineage import lineage_graph
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run

_LOOKS = ["Settings that differ", "Lineage"]
_MAX_RUNS = 50  # columns of a table that anybody reads


def show(runs: Sequence[Run]) -> None:
    """Below the actions on several runs."""
    if widgets.switch("Look at them", _LOOKS, "together") == "Lineage":
        lineage(runs)
        return
    if len(runs) > _MAX_RUNS:
        st.caption(f"The newest {_MAX_RUNS} of {len(runs)} selected runs.")
    compare_settings.show(runs[:_MAX_RUNS])


def lineage(runs: Sequence[Run]) -> None:
    """The graph of warm starts, twins and studies around runs, and the same as sentences."""
    family = state.home().family([run.id for run in runs])
    if family.ties.empty:
        st.caption("They start from new weights, nothing starts from them, and no twin or study has them.")
        return
    chart(
        lineage_graph(family.members, family.ties, [run.id for run in runs]),
        key="runs.lineage",
        label=f"Lineage of {', '.join(run.name for run in runs[:5])}: warm starts, twins and studies",
        view=",".join(run.id for run in runs),
    )
    if family.left_out:
        st.caption(f"{wording.things(family.left_out, 'relative')} more have no room here.")
    with st.expander("The same in words"):
        names = dict(zip(family.members["id"], family.members["name"], strict=True))
        words = {"warm start": "started from", "twin": "is the twin of", "study": "is in the study"}
        for source, target, tie in family.ties.itertuples(index=False):
            st.markdown(f"- {wording.plain(names[target])} {words[tie]} {wording.plain(names[source])}")
