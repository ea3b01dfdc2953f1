"""All runs: find, change, evaluate, move in and out."""

import streamlit as st

from metalm.dashboard import run_import, run_page, run_table, state

st.title("Runs")
st.caption("Every run of this home, the newest first. Select rows to see, compare and change them.")
state.show_notices()
if state.switch("View", ["All runs", "Import"], "view") == "Import":
    run_import.show()
    st.stop()
selected = run_table.show()
if selected is not None:
    run_page.show(selected)
