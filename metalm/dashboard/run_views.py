"""Saved views of the Runs page: what was chosen, kept in the home under a name, opened by an address."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import (
    baseline,
    messages,
    run_columns,
    run_filters,
    run_groups,
    run_insight,
    state,
    wording,
)

_PAGE = "runs"
_CHOICE = "saved"
_OPENED = "runs.opened view"
# All that a view is. The selection is not: it is what one does with it.
CHOICES = (
    *run_filters.CHOICES,
    *run_columns.CHOICES,
    *run_groups.CHOICES,
    *run_insight.CHOICES,
    "rows",
    baseline.CHOICE,
)


def open_saved() -> None:
    """What an address with `?saved=name` alone asks for; what else it says is a change of that view."""
    name = state.choice(_CHOICE)
    if name is None or state.kept_result(_OPENED) == name:
        return
    state.keep_result(_OPENED, name)
    if state.in_address(CHOICES):
        return
    views = state.home().store.views.all(_PAGE)
    if name in views:
        _apply(name, views[name])
    else:
        state.choose(_CHOICE, None)
        st.warning(f"No view {wording.plain(repr(name))} is saved in this home.")


def choose() -> None:
    """A button that opens the saved views, and saves what is chosen now as one."""
    views = state.home().store.views.all(_PAGE)
    current = state.choice(_CHOICE)
    label = f"View: {wording.plain(current)}" if current in views else "Views"
    changed = current in views and views[current] != _chosen()
    with st.popover(label + (" (changed)" if changed else ""), icon=":material/bookmark:", key="runs.views"):
        if not views:
            st.caption("A view keeps filter, columns, order, groups and baseline under a name.")
        for name, choices in views.items():
            with st.container(horizontal=True, vertical_alignment="center"):
                wide = {
                    "type": "primary" if name == current and not changed else "secondary",
                    "width": "stretch",
                }
                st.button(
                    wording.plain(name),
                    key=f"views.open.{name}",
                    on_click=_apply,
                    args=(name, choices),
                    **wide,
                )
                icon = {"icon": ":material/delete:", "type": "tertiary", "help": f"Forget the view {name}"}
                if st.button("", key=f"views.delete.{name}", **icon):
                    _ask_to_forget(name)
        st.button("As at first", key="views.none", on_click=_apply, args=(None, {}), type="tertiary")
        with st.form("save view", border=False):
            st.text_input("Save what is shown as", current or "", key="views.name")
            if st.form_submit_button("Save view"):
                _save_or_ask(state.entered("views.name").strip(), views)


def _chosen() -> dict[str, list[str]]:
    return {name: values for name in CHOICES if (values := state.choices(name))}


def _apply(name: str | None, choices: dict[str, list[str]]) -> None:
    state.keep_result(_OPENED, name)
    state.choose_all({**{key: choices.get(key) for key in CHOICES}, _CHOICE: name, "page": None})


def _save_or_ask(name: str, views: dict[str, dict[str, list[str]]]) -> None:
    """Another view of this name is not written over without a word."""
    if views.get(name, _chosen()) != _chosen():
        _ask_to_replace(name)
    else:
        _save(name)
        st.rerun()


@st.dialog("Replace this view?")
def _ask_to_replace(name: str) -> None:
    st.markdown(f"**{wording.plain(name)}** is saved already, with other choices. They would be lost.")
    if st.button("Replace it", type="primary", key="views.replace", on_click=_save, args=(name,)):
        st.rerun()


def _save(name: str) -> None:
    def action() -> str:
        state.home().store.views.save(_PAGE, name, _chosen())
        state.keep_result(_OPENED, name)
        return f"The view {name} is saved."

    state.attempt(action, **{_CHOICE: name})


@st.dialog("Forget this view?")
def _ask_to_forget(name: str) -> None:
    st.markdown(f"**{wording.plain(name)}** goes for good. The runs that it shows stay.")
    if st.button("Forget it", type="primary", key="views.forget", on_click=_forget, args=(name,)):
        st.rerun()


def _forget(name: str) -> None:
    state.home().store.views.delete(_PAGE, name)
    if state.choice(_CHOICE) == name:
        state.choose(_CHOICE, None)
    messages.notice(f"The view {name} is forgotten.")
