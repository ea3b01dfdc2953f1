"""Work that one script run does itself: how far it is, how long it will take, and a button that stops it.

Any click ends the script run when progress is next told, and what the work had begun is undone by itself.
Work that must outlive a click belongs into the queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import streamlit as st

from metalm.dashboard import state, wording
from metalm.errors import MetalmError

Tell = Callable[[float, str], None]
T = TypeVar("T")

_EVERY = 0.1  # seconds between two looks of the bar; each is a message to the browser


@contextmanager
def under_way(
    label: str,
    *,
    key: str,
    stop_help: str = "nothing of it is kept",
    on_stop: Callable[[], None] | None = None,
) -> Iterator[Tell]:
    """A frame with a bar; gives the function that moves it: share done (0 to 1), and what is being done."""
    with st.status(label, expanded=True):
        st.button("Stop", key=f"stop.{key}", icon=":material/stop:", help=stop_help, on_click=on_stop)
        bar = st.progress(0.0, text="begins")
        begin, looked, is_whole = time.monotonic(), 0.0, False

        def tell(share: float, doing: str) -> None:
            nonlocal looked, is_whole
            now = time.monotonic()
            if now - looked < _EVERY and (share < 1 or is_whole):
                return
            looked, is_whole = now, share >= 1
            bar.progress(min(1.0, max(0.0, share)), text=words(doing, share, now - begin))

        yield tell


def once(name: str, of: str, label: str, work: Callable[[Tell], T], *, key: str) -> T | None:
    """What `work` gives, under way as long as it takes; it rests when it was stopped, until it is asked for.

    name: what is made, as `audit`. of: the id of what it is made of. The frame goes when all is done.
    """
    stopped = (f"{name} stopped", of)
    if state.kept_result(stopped):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**The {name} was stopped.** :gray[Nothing of it is kept.]", width="stretch")
            st.button("Begin again", key=f"again.{key}", on_click=state.keep_result, args=(stopped, False))
        return None
    place = st.empty()
    remember = partial(state.keep_result, stopped, True)
    try:
        with place.container(), under_way(label, key=key, on_stop=remember) as tell:
            found = work(tell)
    except MetalmError:
        place.empty()  # the frame would go on turning
        raise
    place.empty()
    return found


def words(doing: str, share: float, seconds: float, begun: float = 0.0) -> str:
    """What is done, and the time left once there is a share to tell it by. begun: the share done before."""
    left = wording.eta(seconds, (share - begun) / (1 - begun)) if begun < 1 else wording.NOTHING
    return doing if left == wording.NOTHING or share >= 1 else f"{doing} · {left} to go"
