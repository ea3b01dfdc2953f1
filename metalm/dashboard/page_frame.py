"""What stands around every page: glossary, tour, news of work that ended; the manners of text and motion."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import glossary, news, palette, tour

# Captions, keys and the button that is on are too faint in Streamlit's own themes (WCAG 2 asks for 4.5 : 1).
_STYLE = f"""<style>
[data-testid="stCaptionContainer"], button kbd {{ opacity: 0.75 !important; }}
button[data-selected="true"], [data-testid="stSliderThumbValue"] {{
  color: light-dark({palette.LINK[0]}, {palette.LINK[1]}) !important;
}}
/* Texts of any script: a line runs, and is set, the way that its own letters do; so does a name in it. */
[data-testid="stCode"] pre > div, [data-testid="stTextArea"] textarea {{
  unicode-bidi: plaintext; text-align: start;
}}
[data-testid="stMarkdownContainer"] strong {{ unicode-bidi: plaintext; }}
@media (prefers-reduced-motion: reduce) {{
  *, *::before, *::after {{
    animation-duration: 0.01ms !important; animation-iteration-count: 1 !important;
    transition-duration: 0.01ms !important; scroll-behavior: auto !important;
  }}
}}
</style>"""


def show(page: str) -> None:
    """Draws it, before the page of this name draws itself."""
    st.html(_STYLE)
    with st.sidebar:
        _entries()
        news.listen(page)
    tour.show(page)


def _entries() -> None:
    with st.container(gap="xxsmall"):
        look = {"type": "tertiary"}
        if st.button("Glossary", icon=":material/menu_book:", key="frame.glossary", shortcut="Alt+G", **look):
            _glossary()
        if st.button("Tour", icon=":material/tour:", key="frame.tour", help="leads over the pages", **look):
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
