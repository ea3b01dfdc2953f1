"""One task of a split, and every run's results on it."""

import streamlit as st

from metalm.dashboard import glossary, messages, task_page

st.title("Task")
st.caption(
    "One text with its role in a split, and what every run made of it.",
    help=glossary.of_page("Task"),
)
messages.show_notices()
task_page.show()
