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

from metalm.dashboard import wording
from metalm.errors import MetalmError
from metalm.home import Home
from metalm.jobs import service
from metalm.jobs.manager import JobManager
from metalm.text.corpora import Corpus
from metalm.text.tasks import Task

_MEMORY = "chosen."
_WIDGET = "widget."
_NOTICES = "notices"
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


def select(
    label: str, options: Sequence[str], name: str, *, pinned: bool = False, **kwargs: Any
) -> str | None:
    """A select box whose choice stands in the URL. `index=None` allows no choice.

    pinned: its default stands there too, because it may be another one tomorrow, as the newest run is.
    """
    index = kwargs.pop("index", 0)
    value = _one_of(st.selectbox, label, options, name, index, kwargs)
    has_default = index is not None and options and not pinned
    publish(name, value, options[index] if has_default else None)
    return value


def switch(label: str, options: Sequence[str], name: str, **kwargs: Any) -> str:
    """Segmented buttons whose choice stands in the URL; one is always on, the first by default."""
    kwargs = {"required": True, "label_visibility": "collapsed", "wrap": True, **kwargs}
    value = _one_of(st.segmented_control, label, options, name, 0, kwargs)
    publish(name, value, options[0])
    return value


def _one_of(
    widget: Callable, label: str, options: Sequence[str], name: str, index: int | None, kwargs: dict
) -> Any:
    options = list(options)
    default = options[index] if index is not None and options else None
    current = choice(name)
    key = _WIDGET + name
    # The URL is the truth: the widget is told its value at every run, and tells of a change by its callback.
    st.session_state[key] = current if current in options else default
    return widget(label, options, key=key, on_change=_adopt, args=(name,), **kwargs)


def select_many(
    label: str, options: Sequence[str], name: str, *, elsewhere: Iterable[str] = (), **kwargs: Any
) -> list[str]:
    """A multiple choice that stands in the URL.

    elsewhere: what other pages offer under the same name; chosen there, it stays chosen there. So do options
    past `max_selections`, until the choice is changed here.
    """
    key, chosen = _WIDGET + name, list(dict.fromkeys(choices(name)))
    kept = [value for value in chosen if value in set(elsewhere) - set(options)]
    shown = [value for value in chosen if value in options]
    st.session_state[key] = shown[: kwargs.get("max_selections")]
    choose(name, [value for value in chosen if value in (*shown, *kept)])
    return st.multiselect(label, list(options), key=key, on_change=_adopt, args=(name, kept), **kwargs)


def pills(
    label: str, options: Sequence[str], name: str, *, default: Sequence[str], **kwargs: Any
) -> list[str]:
    """Buttons of which several may be on, in the URL; with none on it is the default again."""
    key = _WIDGET + name
    st.session_state[key] = [value for value in choices(name) if value in options] or list(default)
    value = st.pills(
        label, options, selection_mode="multi", key=key, on_change=_adopt, args=(name,), **kwargs
    )
    choose(name, None if list(value) == list(default) else value)
    return list(value or default)


def slider(
    label: str, low: float, high: float, default: float, name: str, *, step: float, **kwargs: Any
) -> float:
    """A number between two; it stands in the URL."""
    key = _WIDGET + name
    try:
        chosen = float(choice(name, str(default)))
    except ValueError:
        chosen = default
    st.session_state[key] = min(max(chosen, low), high) if math.isfinite(chosen) else default
    value = st.slider(label, low, high, step=step, key=key, on_change=_adopt, args=(name,), **kwargs)
    publish(name, f"{value:g}", f"{default:g}")
    return value


def notches(label: str, options: Sequence[str], name: str, **kwargs: Any) -> str:
    """A slider over these values, at the last by default; it stands in the URL."""
    value = _one_of(st.select_slider, label, options, name, len(options) - 1, kwargs)
    publish(name, value, options[-1])
    return value


def text(label: str, name: str, **kwargs: Any) -> str:
    """A line of text that stands in the URL: a search, a filter."""
    key = _WIDGET + name
    st.session_state[key] = choice(name, "")
    value = st.text_input(label, key=key, on_change=_adopt, args=(name,), **kwargs)
    publish(name, value, "")
    return value


def flag(label: str, name: str, **kwargs: Any) -> bool:
    """A toggle that stands in the URL when it is on."""
    key = _WIDGET + name
    st.session_state[key] = choice(name) == "yes"
    value = st.toggle(label, key=key, on_change=_adopt, args=(name,), **kwargs)
    choose(name, "yes" if value else None)
    return value


def page(num_pages: int, name: str) -> int:
    """Which page of a long table, from 1; it stands in the URL from the second on."""
    chosen = choice(name, "1")
    # Python refuses to read numbers of thousands of digits, which an address may have.
    at = max(1, min(int(chosen[:9]), num_pages)) if chosen.isdecimal() else 1
    # It has a default always, and so must not be told its value: each page is a widget of its own.
    key = f"{_WIDGET}{name}.{num_pages}.{at}"
    st.pagination(num_pages, default=at, key=key, on_change=_turn, args=(name, key))
    publish(name, str(at), "1")
    return at


def _turn(name: str, key: str) -> None:
    choose(name, str(st.session_state[key]))


def in_address(names: Iterable[str]) -> bool:
    """Whether the URL itself says one of these: somebody was sent here, or comes back."""
    return any(name in st.query_params for name in names)


def publish(name: str, value: str | None, default: str | None) -> None:
    """Keep a choice; a default needs no place in the URL."""
    choose(name, None if value == default else value)


def _adopt(name: str, kept: Sequence[str] = ()) -> None:
    value = st.session_state[_WIDGET + name]
    if isinstance(value, bool):
        value = "yes" if value else None
    if isinstance(value, float):
        value = f"{value:g}"
    choose(name, [*value, *kept] if kept else value)


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
        notice(str(error), "error")
        return False
    notice(done)
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


def notice(text: str, kind: str = "success") -> None:
    """A message for the next rerun: what a dialog or a callback did. kind: success or error."""
    st.session_state.setdefault(_NOTICES, []).append((kind, text))


def show_notices() -> None:
    """Show, once, what was left by `notice`; names in it are no markdown."""
    for kind, message in st.session_state.pop(_NOTICES, []):
        if kind == "error":
            st.error(wording.plain(message))
        else:
            st.toast(wording.plain(message))
