"""Set up a run, launch it, watch it learn, order the queue."""

import streamlit as st

from metalm.dashboard import glossary, messages, queue_list, train_launch, train_watch, widgets

st.title("Train")
st.caption(
    "A run learns slow weights from a split's meta-train tasks. It goes on when every browser is closed.",
    help=glossary.of_page("Train"),
)
messages.show_notices()
view = widgets.switch("View", ["New run", "Watch", "Queue"], "view")
if view == "New run":
    train_launch.show()
elif view == "Watch":
    train_watch.show()
else:
    queue_list.live()
