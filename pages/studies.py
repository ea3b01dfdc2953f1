"""Questions about meta-learning, each answered by a set of runs, with a report."""

import streamlit as st

from metalm.dashboard import glossary, messages, study_launch, study_list, study_progress, widgets

st.title("Studies")
st.caption(
    "A study trains what a question needs, evaluates it on the same tasks, and writes a report.",
    help=glossary.of_page("Studies"),
)
messages.show_notices()
if widgets.switch("View", ["All studies", "New study"], "view") == "New study":
    study_launch.show()
    st.stop()
study = study_list.choose()
if study is not None:
    study_progress.show(study)
