"""Tasks and splits: cut, give roles, freeze, audit."""

import streamlit as st

from metalm.dashboard import empty, glossary, messages, split_list, split_roles, split_sources, state, widgets

st.title("Tasks")
st.caption(
    "A task is one text source. A split freezes which tasks are learned from, chosen by, and judged on.",
    help=glossary.of_page("Tasks"),
)
messages.show_notices()
if widgets.switch("View", ["Splits", "New split"], "view") == "Splits":
    split_list.show(state.home().splits())
    st.stop()
corpora = state.home().corpora()
if not corpora:
    empty.nothing(
        "No text yet.", "Tasks are cut from corpora: add some texts first.", page="Corpora", view="Add texts"
    )
    st.stop()
st.markdown("#### 1 · Choose texts and cut them into tasks")
tasks = split_sources.chosen_tasks(corpora)
if not tasks:
    empty.nothing("No task.", "Choose at least one corpus that is long enough.")
    st.stop()
roles = split_roles.role_table(tasks)
split_roles.show_counts(tasks, roles)
split_roles.freeze_form(tasks, roles)
