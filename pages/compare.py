"""Curves and results of several runs side by side."""

import streamlit as st

from metalm.dashboard import (
    compare_curves,
    compare_means,
    compare_runs,
    compare_settings,
    compare_tasks,
    compare_training,
    diagnostics,
    glossary,
    messages,
    run_sharing,
    widgets,
)

st.title("Compare")
st.caption(
    "Runs side by side: how they learned, how they adapt to tasks that they have never seen, what differs.",
    help=glossary.of_page("Compare"),
)
messages.show_notices()
runs = compare_runs.choose()
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    view = widgets.switch(
        "View", ["Curves", "Tasks", "Means", "Over training", "Diagnostics", "Settings"], "view"
    )
    run_sharing.report(runs)
if view == "Curves":
    compare_curves.show(runs)
elif view == "Tasks":
    compare_tasks.show(runs)
elif view == "Means":
    compare_means.show(runs)
elif view == "Over training":
    compare_training.show(runs)
elif view == "Diagnostics":
    diagnostics.show(runs)
else:
    compare_settings.show(runs)
