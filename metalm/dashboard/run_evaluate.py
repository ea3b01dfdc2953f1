"""Asking for an evaluation: which split and role, how much support, how many steps."""

from __future__ import annotations

import streamlit as st

from metalm.config import GROUPS, OWN, methods_of
from metalm.dashboard import state, wording
from metalm.dashboard.charts.frame import bytes_label
from metalm.store.runs import Run

_GROUPS = {
    "ways": ("Other ways to adapt", "the head only, a pull to the slow weights, Adam, one rate; each tuned"),
    "baselines": ("Baselines", "uniform, unigram, n-gram, from scratch, joint runs, the equal-compute twin"),
    "formula": (
        "The article's formula",
        "experts of the meta-train tasks, mixed: pool, posterior pool, bayes; the experts are made first, "
        "and take minutes",
    ),
    "online": (
        "Online track",
        "the run goes on learning while it codes the query (dynamic evaluation, an n-gram cache), as the "
        "compressors PPMd and xz do; tracks are never put on one axis",
    ),
}
_SUPPORT = [0, 512, 2048, 10240, 51200, 204800]


@st.dialog("Evaluate", width="medium")
def ask(runs: list[Run]) -> None:
    """The dialog; an evaluation job joins the queue."""
    st.markdown(", ".join(f"**{wording.plain(run.name)}**" for run in runs))
    splits = [split.name for split in state.home().splits()]
    own = state.home().split(runs[0].split_id).name
    with st.form("evaluate", border=False):
        st.selectbox("Split", splits, splits.index(own), key="evaluate.split")
        st.segmented_control(
            "Tasks of the role",
            ["meta-validation", "meta-test"],
            default="meta-validation",
            required=True,
            key="evaluate.role",
            help="Nothing may be chosen by meta-test: opening it is recorded and counted for the split.",
        )
        st.multiselect(
            "Sizes of the support set",
            _SUPPORT,
            [0, 2048, 10240],
            format_func=bytes_label,
            key="evaluate.support",
            help="bytes of the task's text that the run adapts on, before the query set",
        )
        own_steps = {"placeholder": "as tuned at the end of the run", "key": "evaluate.steps"}
        st.number_input("Adaptation steps", 0, 1000, None, **own_steps)
        st.pills(
            "Judged beside it, on the very same bytes",
            GROUPS,
            selection_mode="multi",
            format_func=lambda group: _GROUPS[group][0],
            key="evaluate.methods",
            help="\n".join(f"- **{label}**: {what}" for label, what in _GROUPS.values()),
        )
        is_sent = st.form_submit_button("Start evaluation", type="primary", on_click=_submit, args=(runs,))
        if is_sent and state.entered("evaluate.support"):
            st.rerun()
        if is_sent:
            st.error("Choose one size of the support set or more.")


def _submit(runs: list[Run]) -> None:
    if not state.entered("evaluate.support"):
        return  # the dialog stays open, and says so
    options = {name: state.entered(f"evaluate.{name}") for name in ("split", "role", "steps")}
    options["methods"] = methods_of([*OWN, *state.entered("evaluate.methods")])
    support = sorted(state.entered("evaluate.support"))

    def action() -> str:
        state.jobs().evaluate([run.id for run in runs], support=support, **options)
        where = "here" if len(runs) == 1 else "on Compare"
        return f"The evaluation is in the queue; its results show {where} as they come."

    state.attempt(action, look="Results")
