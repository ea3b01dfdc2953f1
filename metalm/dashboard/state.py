"""The one door to what a session remembers, to the address bar, and to the home and the queue of the process.

A choice has a short name, such as `split`. It lives in the URL, so that a page can be shared, and in the
session's memory, so that it is still there after a visit to another page; the URL wins. Streamlit's `bind` is
not used: it refuses `st.switch_page`, and drops a choice that two pages share on the way between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import streamlit as st

from metalm.dashboard import messages
from metalm.errors import MetalmError
from metalm.home import Home
from metalm.jobs import service
from metalm.jobs.manager import JobManager
from metalm.text.corpora import Corpus
from metalm.text.tasks import Task

_MEMORY = "chosen."
_RESULTS = "results"
_MAX_RESULTS = 16  # megabytes each, at most
_FIGURES = "figures"
_MAX_FIGURES = 24


def home() -> Home:
    """The open home. Raises HomeError when the process has none."""
    return service.current().home


def jobs() -> JobManager:
    """The queue of the open home."""
    return service.current().jobs


def tasks(corpora: Sequence[Corpus], by: str, chunk_bytes: int) -> list[Task]:
    """The tasks that corpora give, cut as asked; remembered, because chunks are looked up in the texts."""
    noted = tuple((corpus.name, *sorted(corpus.groups.items())) for corpus in corpora)
    return _tasks(str(home().path), tuple(corpus.id for corpus in corpora), noted, by, chunk_bytes)


@st.cache_data(max_entries=50, show_spinner="Cutting texts into tasks …")
def _tasks(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    corpus_ids: tuple[str, ...],
    noted: tuple,  # noqa: ARG001 - nor outlive the names and groups that tasks take from their corpora
    by: str,
    chunk_bytes: int,
) -> list[Task]:
    return home().tasks(
        by=by, corpora=list(corpus_ids), **({"chunk_bytes": chunk_bytes} if chunk_bytes else {})
    )


def choices(name: str) -> list[str]:
    """All values chosen under `name`, oldest first; empty when there is none."""
    return st.query_params.get_all(name) or list(st.session_state.get(_MEMORY + name, ()))


def choice(name: str, default: str | None = None) -> str | None:
    """The value chosen under `name`."""
    values = choices(name)
    return values[-1] if values else default


def choose(name: str, values: str | Iterable[str] | None) -> None:
    """Remember a choice, here and in the URL. None or nothing forgets it."""
    chosen = [values] if isinstance(values, str) else list(values or ())
    if chosen == st.session_state.get(_MEMORY + name, []) == st.query_params.get_all(name):
        return
    st.session_state[_MEMORY + name] = chosen
    if chosen:
        st.query_params[name] = chosen
    elif name in st.query_params:
        del st.query_params[name]


def suggest(name: str, values: Iterable[str]) -> None:
    """Choose `values` where nothing was ever chosen in this session; to have chosen nothing is a choice."""
    if name not in st.query_params and _MEMORY + name not in st.session_state:
        choose(name, values)


def choose_all(values: dict[str, str | Iterable[str] | None]) -> None:
    """Several choices at once: made for a button's `on_click`."""
    for name, value in values.items():
        choose(name, value)


def in_address(names: Iterable[str]) -> bool:
    """Whether the URL itself says one of these: somebody was sent here, or comes back."""
    return any(name in st.query_params for name in names)


def publish(name: str, value: str | None, default: str | None) -> None:
    """Keep a choice; a default needs no place in the URL."""
    choose(name, None if value == default else value)


def entered(key: str) -> Any:
    """What a keyed widget of a form holds: for the callback of its button."""
    return st.session_state[key]


def attempt(action: Callable[[], str], **choices: str | Iterable[str] | None) -> bool:
    """Does what a button's callback is for, and leaves a notice: what `action` tells, or why it was refused.

    `choices` are made when it succeeded.
    """
    try:
        done = action()
    except MetalmError as error:
        messages.notice(str(error), "error")
        return False
    messages.notice(done)
    choose_all(choices)
    return True


def keep_result(name: Hashable, result: Any) -> None:
    """Remembers, for this session alone, what took time to compute; of many, the newest."""
    results = st.session_state.setdefault(_RESULTS, {})
    results.pop(name, None)
    results[name] = result
    for oldest in list(results)[:-_MAX_RESULTS]:
        del results[oldest]


def kept_result(name: Hashable) -> Any:
    """What `keep_result` remembers under `name`; None when there is nothing."""
    return st.session_state.get(_RESULTS, {}).get(name)


def sent_figure(key: str) -> Any:
    """What `keep_sent_figure` remembers of the chart `key`; None when its browser may have nothing."""
    return st.session_state.get(_FIGURES, {}).get(key)


def keep_sent_figure(key: str, sent: Any) -> None:
    """Remembers what the browser has of a chart; of many, those drawn last."""
    figures = st.session_state.setdefault(_FIGURES, {})
    figures.pop(key, None)
    if sent is not None:
        figures[key] = sent
    for oldest in list(figures)[:-_MAX_FIGURES]:
        del figures[oldest]


def looked_at(name: str) -> tuple[float, float] | None:
    """The range of an axis that stands in the URL under `name`; None for all of it."""
    low, _, high = choice(name, "").partition("~")
    try:
        values = float(low), float(high)
    except ValueError:
        return None
    return values if -math.inf < values[0] < values[1] < math.inf else None


def look_at(name: str, values: tuple[float, float] | None) -> None:
    """Puts a range of an axis into the URL; None takes it away."""
    choose(name, None if values is None else "~".join(f"{value:.9g}" for value in values))
