"""What runs, what finished last, and what a newcomer does first."""

import streamlit as st

from metalm.dashboard import first_steps, glossary, messages, overview_runs, state

st.title("Overview")
st.caption(
    "Meta-train a small language model over many texts, and see how fast it adapts to one it has never seen.",
    help=glossary.of_page("Overview"),
)
messages.show_notices()
runs = state.home().run_heads()
overview_runs.counts(runs)
first_steps.show(runs)
overview_runs.live()
