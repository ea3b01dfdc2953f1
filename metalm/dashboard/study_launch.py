"""Setting up a study: its kind, and a form made from the fields of its settings."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from metalm.dashboard import empty, state
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
    kind = state.select("Question", list(questions), "kind", format_func=questions.get)
    st.markdown(f":gray[{kind_of(kind).explanation}]")
    fields = kind_of(kind).settings()
    with st.form(f"study.{kind}"):
        name = {"placeholder": kind, "key": _key(kind, "name")}
        st.text_input("Name", **name)
        _fields(kind, [each for each in fields if each[0] not in _DETAILS], splits)
        with st.expander("More settings"):
            _fields(kind, [each for each in fields if each[0] in _DETAILS], splits)
        st.form_submit_button("Launch study", type="primary", on_click=_launch, args=(kind,))


def _key(kind: str, name: str) -> str:
    return f"study.{kind}.{name}"


def _fields(kind: str, fields: list[tuple[str, Any, Any]], splits: list[str]) -> None:
    """A widget a setting, in rows of three."""
    for begin in range(0, len(fields), _COLUMNS):
        columns = st.columns(_COLUMNS)
        for column, (name, hint, f) in zip(columns, fields[begin : begin + _COLUMNS], strict=False):
            with column:
                _field(_key(kind, name), name, hint, f, splits)


def _field(key: str, name: str, hint: Any, f: Any, splits: list[str]) -> None:
    label, look = name.replace("_", " ").capitalize(), {"help": f.metadata["help"], "key": key}
    options = splits if name == "split" else list(get_args(hint))
    if options:
        st.selectbox(label, options, options.index(f.default) if f.default in options else 0, **look)
    elif hint is bool:
        st.checkbox(label, f.default, **look)
    elif hint in (int, float):
        low, high = (None if end is None else hint(end) for end in _range(f))
        st.number_input(label, low, high, f.default, **look)
    else:
        st.text_input(label, f.default, **look)


def _range(f: Any) -> tuple[float | None, float | None]:
    return f.metadata["at_least"], f.metadata["at_most"]


def _launch(kind: str) -> None:
    settings = {name: state.entered(_key(kind, name)) for name, *_ in kind_of(kind).settings()}
    chosen: dict[str, str | None] = {"view": None, "study": None}

    def action() -> str:
        study = kept.begin(state.home(), kind, settings, name=state.entered(_key(kind, "name")))
        state.jobs().study(study.id)
        chosen["study"] = study.name
        return f"{study.name}: in the queue."

    if state.attempt(action):
        state.choose_all(chosen)
