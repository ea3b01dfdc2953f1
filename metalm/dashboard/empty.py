"""What a page says when there is nothing to show: what is missing, and what to do next."""

import streamlit as st

from metalm.dashboard import contents


def nothing(headline: str, advice: str, *, page: str = "", label: str = "", **choices: str) -> None:
    """A framed note with one link: `page` is a name of the table of contents."""
    with st.container(border=True):
        st.markdown(f"**{headline}**")
        st.markdown(f":gray[{advice}]")
        if page:
            contents.link(page, label, **choices)


def no_run() -> None:
    """There is no run in this home at all."""
    nothing(
        "No run yet.",
        "A run learns slow weights from a split. Set one up, or import one.",
        page="Train",
        label="Set up a run",
        view="New run",
    )
