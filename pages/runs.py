"""All runs: find, group, change, evaluate, move in and out."""

import streamlit as st

from metalm.dashboard import (
    glossary,
    messages,
    run_bin,
    run_import,
    run_page,
    run_selection,
    run_table,
    widgets,
)

st.title("Runs")
st.caption(
    "Every run of this home, the newest first. Select rows to see, compare and change them.",
    help=glossary.of_page("Runs"),
)
messages.show_notices()
view = widgets.switch("View", ["All runs", "Deleted", "Import"], "view")
if view == "Import":
    run_import.show()
    st.stop()
if view == "Deleted":
    run_bin.show()
    st.stop()
run_bin.offer_undo()
selected = run_table.show()
if selected is not None:
    run_page.show(selected)
    if len(selected) > 1:
        run_selection.show(selected)
