"""Texts: add, look inside, rename, delete."""

import streamlit as st

from metalm.dashboard import corpus_entry, corpus_table, corpus_upload, glossary, messages, state, widgets

st.title("Corpora")
st.caption(
    "A corpus is one text, kept once. Tasks are cut from corpora on the Tasks page.",
    help=glossary.of_page("Corpora"),
)
messages.show_notices()
if widgets.switch("View", ["All corpora", "Add texts"], "view") == "Add texts":
    corpus_upload.show()
    st.stop()
corpora = state.home().corpora()
name = corpus_table.show(corpora)
if name is not None:
    corpus_entry.show(state.home().corpus(name))
