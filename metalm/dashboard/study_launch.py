"""Setting up a study: its kind, and widgets made from the fields of its settings, which stand in the URL."""

from __future__ import annotations

from typing import Any

import streamlit as st

from metalm.dashboard import empty, state, widgets
from metalm.dashboard.train_settings import entered, setting
from metalm.studies import kept
from metalm.studies.kinds import KINDS, kind_of

# What most readers leave as it is.
_DETAILS = ("draws", "joint_set", "meta_set", "device")
_COLUMNS = 3


def show() -> None:
    """The form; a study joins the queue."""
    splits = [split.name for split in state.home().splits()]
    if not splits:
        empty.nothing("No split yet.", "A study learns and judges on a split of tasks.", page="Tasks")
        return
    questions = {name: kind_of(name).question for name in KINDS}
    kind = widgets.select("Question", list(questions), "kind", format_func=questions.get)
    st.markdown(f":gray[{kind_of(kind).explanation}]")
    fields = kind_of(kind).settings()
    with st.container(border=True):
        widgets.text("Name", "study_name", placeholder=kind)
        _fields(kind, [each for each in fields if each[0] not in _DETAILS], splits)
        with st.expander("More settings"):
            _fields(kind, [each for each in fields if each[0] in _DETAILS], splits)
        st.button("Launch study", type="primary", on_click=_launch, args=(kind,))


def _fields(kind: str, fields: list[tuple[str, Any, Any]], splits: list[str]) -> None:
    """A widget a setting, in rows of three."""
    for begin in range(0, len(fields), _COLUMNS):
        columns = st.columns(_COLUMNS)
        for column, (name, hint, f) in zip(columns, fields[begin : begin + _COLUMNS], strict=False):
            with column:
                _field(kind, name, hint, f, splits)


def _field(kind: str, name: str, hint: Any, f: Any, splits: list[str]) -> None:
    label, help = name.replace("_", " ").capitalize(), f.metadata["help"]
    if name == "split":
        index = splits.index(f.default) if f.default in splits else 0
        widgets.select(label, splits, "split", index=index, pinned=True, help=help)
    else:
        setting(f"{kind}.{name}", f.default, hint, label, help=help)


def _launch(kind: str) -> None:
    names = [name for name, *_ in kind_of(kind).settings()]
    settings = {name: state.choice(name) if name == "split" else entered(f"{kind}.{name}") for name in names}
    chosen: dict[str, str | None] = {"view": None, "study": None, "study_name": None}

    def action() -> str:
        study = kept.begin(state.home(), kind, settings, name=state.choice("study_name", ""))
        state.jobs().study(study.id)
        chosen["study"] = study.name
        return f"{study.name}: in the queue."

    if state.attempt(action):
        state.choose_all(chosen)
