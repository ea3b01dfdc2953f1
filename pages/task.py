"""One task of a split, and every run's results on it."""

import streamlit as st

from metalm.dashboard import state, task_page

st.title("Task")
state.show_notices()
task_page.show()
