"""Presentation: the demo alone, in large type, without the frame of the dashboard; a flag in the URL."""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import state

_FLAG = "present"
_STYLE = """<style>
[data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stExpandSidebarButton"] {
  display: none !important;
}
[data-testid="stMainBlockContainer"] { padding: 1.5rem 3vw 3rem; max-width: 120rem; }
html { font-size: 21px; }
@media (max-width: 40rem) { html { font-size: 17px; } }
</style>"""


def is_on() -> bool:
    """The address asks for it."""
    return state.choice(_FLAG) == "yes"


def dress() -> None:
    """Takes the frame away and makes the type large."""
    st.html(_STYLE)


def enter_button(**look: object) -> None:
    """Turns it on."""
    st.button("Present", icon=":material/slideshow:", on_click=state.choose, args=(_FLAG, "yes"), **look)


def leave_button(**look: object) -> None:
    """Turns it off."""
    st.button("Leave presentation", on_click=state.choose, args=(_FLAG, None), type="tertiary", **look)
