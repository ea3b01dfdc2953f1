"""The script of the application object: the table of contents around whichever page is open."""

import streamlit as st

from metalm.dashboard import contents, messages, page_frame
from metalm.errors import MetalmError

st.set_page_config(page_title="metalm", page_icon=contents.mark(), layout="wide")
st.logo(contents.wordmark(), size="large")

sections: dict[str, list] = {}
names: dict[str, str] = {}
for entry in contents.PAGES.values():
    page = st.Page(
        entry.file,
        title=entry.title,
        help=entry.purpose,
        default=entry.name == "Overview",
        visibility="hidden" if entry.is_hidden else "visible",
    )
    sections.setdefault(entry.section, []).append(page)
    names[entry.title] = entry.name
chosen = st.navigation(sections, expanded=True)
# A page's title holds its icon as an image; the browser's tab shows plain text.
st.set_page_config(page_title=f"{names[chosen.title]} · metalm")
try:
    page_frame.show(names[chosen.title])
    chosen.run()
except MetalmError as error:
    messages.error(error)
