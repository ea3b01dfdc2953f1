"""One run, on a page of its own."""

import streamlit as st

from metalm.dashboard import run_choice, run_page, state

st.title("Run")
state.show_notices()
run = run_choice.choose()
if run is not None:
    run_page.show([run], is_own=True)
