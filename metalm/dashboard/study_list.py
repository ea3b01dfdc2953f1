"""The studies of this home, and what there is to ask when there is none yet."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import contents, state, widgets, wording
from metalm.store.studies import Study
from metalm.studies.kinds import KINDS, kind_of


def choose() -> Study | None:
    """The chosen study, the newest by default; the questions when there is none."""
    studies = {study.name: study for study in state.home().store.studies.all()}
    if not studies:
        st.markdown("**No study yet.** These questions can be asked:")
        questions()
        return None
    label = {name: f"{name} · {wording.ago(study.created_at)}" for name, study in studies.items()}
    name = widgets.select("Study", list(studies), "study", pinned=True, format_func=label.get)
    return studies[name]


def questions() -> None:
    """Every kind of study: what it asks, what it does and what it costs."""
    for name in KINDS:
        kind = kind_of(name)
        with st.container(border=True):
            st.markdown(f"**{kind.question}**")
            st.markdown(f":gray[{kind.explanation}]")
            contents.link("Studies", "Set it up", view="New study", kind=name)
