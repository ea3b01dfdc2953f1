"""Adapt trained runs to a text that they have never seen, and watch every character."""

import streamlit as st

from metalm.dashboard import adapt_record, adapt_run, adapt_saved, adapt_text, compare_runs, state

st.title("Adapt")
st.caption("A text is cut in two: runs adapt to its first part, and are judged on the second, step by step.")
state.show_notices()
view = state.switch("View", ["Adapt", "Saved"], "view")
if view == "Saved":
    adapt_saved.show()
elif demo := state.choices("demo"):
    adapt_record.show(demo)
else:
    runs = compare_runs.choose(most=4, fit=adapt_run.is_ready)
    adapt_run.show(runs, adapt_text.choose(runs))
