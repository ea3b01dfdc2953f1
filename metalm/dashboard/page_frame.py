"""What stands around every page: glossary and tour in the sidebar, news of work that ended, stillness."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import glossary, news, tour

_STILL = """<style>
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after {
    animation-duration: 0.01ms !important; animation-iteration-count: 1 !important;
    transition-duration: 0.01ms !important; scroll-behavior: auto !important;
  }
}
</style>"""


def show(page: str) -> None:
    """Draws it, before the page of this name draws itself."""
    st.html(_STILL)
    with st.sidebar:
        _entries()
        news.listen(page)
    tour.show(page)


def _entries() -> None:
    with st.container(horizontal=True):
        if st.button("Glossary", icon=":material/menu_book:", key="frame.glossary", shortcut="Alt+G"):
            _glossary()
        if st.button("Tour", icon=":material/tour:", key="frame.tour", help="leads over the pages"):
            tour.begin()


@st.dialog("Glossary", width="large")
def _glossary() -> None:
    """Every term, by section; what is searched for, in its name or explanation."""
    wanted = st.text_input("Search", key="glossary.search", placeholder="a word, or a part of one")
    found = glossary.found(wanted)
    if not found:
        st.caption(f"No term has “{wanted}” in its name or its explanation.")
    for section, terms in found.items():
        st.markdown(f"##### {section}")
        st.markdown(glossary.lines(*terms))
