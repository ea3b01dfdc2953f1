"""Learning curves of the chosen runs; drawn anew while one of them trains."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import compare_runs, curve_controls, state
from metalm.dashboard.charts.curves import learning_curves
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run

_PARTS = ["validation", "query", "support"]


def show(runs: Sequence[Run]) -> None:
    """Controls and curves."""
    parts = st.pills(
        "Parts",
        _PARTS,
        selection_mode="multi",
        default=_PARTS[:2],
        key="compare.parts",
        persist_state="session",
        help="validation: meta-validation tasks after adaptation; query: what the outer loop learns from; "
        "support: what adaptation learns from",
    )
    view = curve_controls.choose()
    is_live = any(run.status in ("queued", "running") for run in runs)
    st.fragment(run_every=3 if is_live else None)(_curves)([run.id for run in runs], parts, view)


def _curves(run_ids: Sequence[str], parts: Sequence[str], view: CurveView) -> None:
    home = state.home()
    runs = [home.run(run_id) for run_id in run_ids]
    curve = pd.concat(
        [home.store.metrics.curve(run_ids, part, x=view.x).assign(part=part) for part in parts or _PARTS[:1]]
    )
    curve_controls.tell_uncounted(runs, curve, view)
    if curve.empty:
        st.info(
            "No points yet: the first come after the first outer step, and validation after its first turn."
        )
        return
    vocabularies = {run.id: vocabulary(run) for run in runs}
    by_token = view.unit in ("perplexity", "nats per token")
    if by_token and len(set(vocabularies.values())) > 1:
        st.info(
            f"{view.unit.capitalize()} counts tokens, and these runs have different vocabularies: their "
            "numbers are on plots of their own. Bits per byte compares them all."
        )
    chart(
        learning_curves(curve, compare_runs.styles(runs), view, vocabularies),
        key="compare.curves",
        label=f"Learning curves of {', '.join(run.name for run in runs)} in {view.unit}",
        view=f"{view}|{parts}",
    )


def vocabulary(run: Run) -> str:
    """What the tokens of a run are, in words: `bytes`, or the kind with the start of its hash."""
    kind = run.config["tokenizer"]["kind"]
    return kind if kind == "bytes" else f"{kind} {run.tokenizer[:6]}".strip()
