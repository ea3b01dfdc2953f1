"""One run, on a page of its own."""

import streamlit as st

from metalm.dashboard import glossary, messages, run_choice, run_page

st.title("Run")
st.caption(
    "One training: how it learned, what it scored on tasks that it has never seen, and what it left.",
    help=glossary.of_page("Run"),
)
messages.show_notices()
run = run_choice.choose()
if run is not None:
    run_page.show([run], is_own=True)
