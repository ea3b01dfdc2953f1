"""Adapt trained runs to a text that they have never seen, and watch every character."""

import streamlit as st

from metalm.dashboard import (
    adapt_present,
    adapt_record,
    adapt_run,
    adapt_saved,
    adapt_text,
    compare_runs,
    glossary,
    messages,
    state,
    widgets,
)

demo = state.choices("demo")
is_presented = bool(demo) and adapt_present.is_on()
if is_presented:
    adapt_present.dress()
else:
    st.title("Adapt")
    st.caption(
        "A text is cut in two: runs adapt to its first part and are judged on the second, step by step.",
        help=glossary.of_page("Adapt"),
    )
messages.show_notices()
view = "Adapt" if is_presented else widgets.switch("View", ["Adapt", "Saved"], "view")
if view == "Saved":
    adapt_saved.show()
elif demo:
    adapt_record.show(demo)
else:
    runs = compare_runs.choose(most=4, fit=adapt_run.is_ready)
    source, action, preview = st.container(), st.container(), st.container()
    with source:
        text = adapt_text.choose(runs, preview)
    with action:
        adapt_run.show(runs, text)
