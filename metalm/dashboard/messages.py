"""What pages tell the reader beyond their content: errors, warnings, and notices for the next rerun.

Their texts name runs, files and values as the reader typed them, which must not be read as markdown.
"""

from __future__ import annotations

import streamlit as st

from metalm.dashboard import wording

_NOTICES = "notices"


def error(what: object) -> None:
    """A red box with an error, or with its text."""
    st.error(wording.plain(str(what)))


def warning(what: object) -> None:
    """A yellow box with an error that loses nothing, or with its text."""
    st.warning(wording.plain(str(what)))


def notice(text: str, kind: str = "success") -> None:
    """A message for the next rerun: what a dialog or a callback did. kind: success or error."""
    st.session_state.setdefault(_NOTICES, []).append((kind, text))


def show_notices() -> None:
    """Show, once, what was left by `notice`."""
    for kind, text in st.session_state.pop(_NOTICES, []):
        if kind == "error":
            error(text)
        else:
            st.toast(wording.plain(text))
