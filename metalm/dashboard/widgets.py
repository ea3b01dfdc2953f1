"""Widgets whose values stand in the URL, under a short name each: `metalm.dashboard.state` says how.

The URL is the truth: a widget is told its value at every run, and tells of a change by its callback.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import streamlit as st

from metalm.dashboard import messages, state
from metalm.errors import ConfigError

Number = TypeVar("Number", int, float)
_WIDGET = "widget."
LARGEST = 2**53 - 1  # the largest whole number that a browser can hold


def select(
    label: str, options: Sequence[str], name: str, *, pinned: bool = False, **kwargs: Any
) -> str | None:
    """A select box whose choice stands in the URL. `index=None` allows no choice.

    pinned: it names what may come and go, such as a run. So its default, which may be another one tomorrow,
    stands there too, and an address that names none of the options is told so.
    """
    index = kwargs.pop("index", 0)
    value = _one_of(st.selectbox, label, options, name, index, kwargs)
    if pinned:
        tell_gone(label, options, name)  # below the box, which so keeps in line with what stands beside it
    has_default = index is not None and options and not pinned
    state.publish(name, value, options[index] if has_default else None)
    return value


def tell_gone(label: str, options: Collection[str], name: str) -> None:
    """Where the address names what is not among the options: that another one stands in its place."""
    wanted = st.query_params.get(name)
    if wanted is not None and wanted not in options:
        messages.warning(
            f"No {label.lower()} {wanted!r} here: it was deleted, or has another name now. "
            "Another one is shown in its place."
        )


def switch(label: str, options: Sequence[str], name: str, **kwargs: Any) -> str:
    """Segmented buttons whose choice stands in the URL; one is always on, the first by default."""
    kwargs = {"required": True, "label_visibility": "collapsed", "wrap": True, **kwargs}
    value = _one_of(st.segmented_control, label, options, name, 0, kwargs)
    state.publish(name, value, options[0])
    return value


def _one_of(
    widget: Callable, label: str, options: Sequence[str], name: str, index: int | None, kwargs: dict
) -> Any:
    options = list(options)
    default = options[index] if index is not None and options else None
    current = state.choice(name)
    key = _WIDGET + name
    st.session_state[key] = current if current in options else default
    return widget(label, options, key=key, on_change=_adopt, args=(name,), **kwargs)


def select_many(
    label: str, options: Sequence[str], name: str, *, elsewhere: Iterable[str] = (), **kwargs: Any
) -> list[str]:
    """A multiple choice that stands in the URL.

    elsewhere: what other pages offer under the same name; chosen there, it stays chosen there. So do options
    past `max_selections`, until the choice is changed here.
    """
    key, chosen = _WIDGET + name, list(dict.fromkeys(state.choices(name)))
    kept = [value for value in chosen if value in set(elsewhere) - set(options)]
    shown = [value for value in chosen if value in options]
    st.session_state[key] = shown[: kwargs.get("max_selections")]
    state.choose(name, [value for value in chosen if value in (*shown, *kept)])
    return st.multiselect(label, list(options), key=key, on_change=_adopt, args=(name, kept), **kwargs)


def pills(
    label: str, options: Sequence[str], name: str, *, default: Sequence[str], **kwargs: Any
) -> list[str]:
    """Buttons of which several may be on, in the URL; with none on it is the default again."""
    key = _WIDGET + name
    st.session_state[key] = [value for value in state.choices(name) if value in options] or list(default)
    value = st.pills(
        label, options, selection_mode="multi", key=key, on_change=_adopt, args=(name,), **kwargs
    )
    state.choose(name, None if list(value) == list(default) else value)
    return list(value or default)


def slider(
    label: str, low: float, high: float, default: float, name: str, *, step: float, **kwargs: Any
) -> float:
    """A number between two; it stands in the URL."""
    key = _WIDGET + name
    try:
        chosen = float(state.choice(name, str(default)))
    except ValueError:
        chosen = default
    st.session_state[key] = min(max(chosen, low), high) if math.isfinite(chosen) else default
    value = st.slider(label, low, high, step=step, key=key, on_change=_adopt, args=(name,), **kwargs)
    state.publish(name, _written(value), _written(default))
    return value


def number(
    label: str, low: Number, high: Number, name: str, *, default: Number | None = None, **kwargs: Any
) -> Number | None:
    """A number between two, whole where they are; it stands in the URL. default None: it may be empty.

    Raises ConfigError, once it is drawn, when the reader's number is not between them. The browser is not
    told the limits: it would keep to the last number within them, and say so in a tooltip only.
    """
    key = _WIDGET + name
    try:
        chosen = type(low)(state.choice(name, "")[:20])
    except ValueError:
        chosen = default
    st.session_state[key] = chosen if chosen is not None and abs(chosen) <= LARGEST else default
    if default is None:
        kwargs["value"] = None
    step = kwargs.pop("step", 1 if isinstance(low, int) else None)
    value = st.number_input(label, step=step, key=key, on_change=_adopt, args=(name,), **kwargs)
    state.publish(name, _written(value), _written(default))
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{label} must be {low:.10g} to {high:.10g}, got {value:.10g}")
    return value


def notches(label: str, options: Sequence[str], name: str, **kwargs: Any) -> str:
    """A slider over these values, at the last by default; it stands in the URL."""
    value = _one_of(st.select_slider, label, options, name, len(options) - 1, kwargs)
    state.publish(name, value, options[-1])
    return value


def text(label: str, name: str, **kwargs: Any) -> str:
    """A line of text that stands in the URL: a search, a filter."""
    key = _WIDGET + name
    st.session_state[key] = state.choice(name, "")
    value = st.text_input(label, key=key, on_change=_adopt, args=(name,), **kwargs)
    state.publish(name, value, "")
    return value


def flag(label: str, name: str, **kwargs: Any) -> bool:
    """A toggle that stands in the URL when it is on."""
    key = _WIDGET + name
    st.session_state[key] = state.choice(name) == "yes"
    value = st.toggle(label, key=key, on_change=_adopt, args=(name,), **kwargs)
    state.choose(name, "yes" if value else None)
    return value


def page(num_pages: int, name: str) -> int:
    """Which page of a long table, from 1; it stands in the URL from the second on."""
    chosen = state.choice(name, "1")
    # Python refuses to read numbers of thousands of digits, which an address may have.
    at = max(1, min(int(chosen[:9]), num_pages)) if chosen.isdecimal() else 1
    # It has a default always, and so must not be told its value: each page is a widget of its own.
    key = f"{_WIDGET}{name}.{num_pages}.{at}"
    st.pagination(num_pages, default=at, key=key, on_change=_turn, args=(name, key))
    state.publish(name, str(at), "1")
    return at


def _turn(name: str, key: str) -> None:
    state.choose(name, str(st.session_state[key]))


def _written(value: float | None) -> str | None:
    return None if value is None else f"{value:.10g}"


def _adopt(name: str, kept: Sequence[str] = ()) -> None:
    value = st.session_state[_WIDGET + name]
    if isinstance(value, bool):
        value = "yes" if value else None
    if isinstance(value, int | float):
        value = _written(value)
    state.choose(name, [*value, *kept] if kept else value)
