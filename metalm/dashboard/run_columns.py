"""The columns of the table of runs: which are shown, pinned and sorted by; how each looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from metalm.dashboard import glossary, state, widgets
from metalm.errors import FilterError
from metalm.store.run_fields import FACTS, RunField, field, settings

DEFAULT = (
    "run",
    "status",
    "bits_per_byte",  # where a phone still shows it
    "progress",
    "algorithm",
    "split",
    "network",
    "seed",
    "tags",  # where a window of 1,440 pixels still shows them
    "steps",
    "seconds",
    "tokens",
    "warm_start",
    "notes",
    "created",
)
FIRST = "run"  # always there, always pinned: it says which run the row is
CHOICES = ("columns", "pinned", "sort", "ascending")
_BITS = ("bits_per_byte", "before", "after")


@dataclass(frozen=True)
class Columns:
    """What is chosen. keys: names of `run_fields`, in the order shown."""

    keys: tuple[str, ...] = DEFAULT
    pinned: tuple[str, ...] = ()
    sort: str = "created"
    ascending: bool = False


def choose() -> Columns:
    """A button that opens the choice. Metrics and results are looked up once it is open."""
    drawer = st.popover("Columns", icon=":material/view_column:", key="runs.columns", on_change="rerun")
    with drawer:
        keys = _known([*state.choices("columns"), *state.choices("sort"), *state.choices("pinned")])
        options = list(dict.fromkeys([*FACTS, *settings(), *(_found() if drawer.open else ()), *keys]))
        chosen = widgets.select_many(
            "Shown",
            options,
            "columns",
            placeholder="the usual ones",
            format_func=_label,
            help="facts, settings, last values of metrics, results on a role at a support size; "
            "none chosen: the usual ones",
        )
        shown = tuple(dict.fromkeys([FIRST, *(chosen or DEFAULT)]))
        pinned = widgets.select_many(
            "Pinned", options, "pinned", placeholder="the name alone", format_func=_label
        )
        sort = widgets.select(
            "Sorted by", options, "sort", index=options.index("created"), format_func=_label
        )
        ascending = widgets.flag("Smallest first", "ascending")
    return Columns(tuple(dict.fromkeys([*shown, *pinned])), tuple(pinned), sort or "created", ascending)


def _found() -> list[str]:
    table = state.home().store.run_table
    return [*table.results(), *(f"metric.{name}" for name in table.metrics())]


def _known(keys: Iterable[str]) -> list[str]:
    """Those that are columns: an address may say anything."""
    found = []
    for key in keys:
        try:
            found.append(field(key).key)
        except FilterError:
            continue
    return found


def _label(key: str) -> str:
    return field(key).label


def is_outcome(key: str) -> bool:
    """What training or evaluation brought, so that repetitions differ in it; not what was asked."""
    return key in (*_BITS, "tokens_per_second") or "@" in key or key.startswith("metric.")


def in_bits(key: str) -> bool:
    """Bits per byte, which compare on one split: a difference to the baseline means something."""
    return key in _BITS or "@" in key


def config(keys: Sequence[str], pinned: Sequence[str]) -> dict[str, object]:
    """How streamlit shows these columns, by their label."""
    looks = {field(key).label: _look(field(key), key == FIRST or key in pinned) for key in keys}
    less = {"format": "%+.3f", "help": "bits per byte more than the baseline, on its split: less is better"}
    return looks | {difference(key): st.column_config.NumberColumn(**less) for key in keys if in_bits(key)}


def difference(key: str) -> str:
    """The label of the column that says how far a figure is from the baseline's."""
    return f"Δ {field(key).label}"


def _look(column: RunField, pinned: bool) -> object:
    kinds = st.column_config
    key, common = column.key, {"pinned": pinned or None, "help": _help(column.key)}
    if key == FIRST:
        return kinds.TextColumn(width="medium", **common)
    if column.kind == "words":
        return kinds.ListColumn(**common)
    if column.kind == "time":
        return kinds.DatetimeColumn(format="distance", **common)
    if key == "progress":
        return kinds.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width="small", **common)
    if column.kind != "number":
        return kinds.Column(**common)
    return kinds.NumberColumn(format=_FORMATS.get(key, "%.3f" if in_bits(key) else None), **common)


_FORMATS = {"steps": "localized", "tokens": "compact", "seconds": "%.1f min", "tokens_per_second": "compact"}
_HELP = {
    "bits_per_byte": "on meta-validation tasks, after adaptation as tuned: less is better",
    "before": "bits per byte on meta-validation before adaptation, at the best step",
    "after": "bits per byte on meta-validation after adaptation as validated, at the best step",
    "tokens": "tokens trained on",
    "seconds": "spent in training, in minutes; `seconds` in filters and the CSV are seconds",
    "steps": "outer steps made",
    "network": "its hidden units, and its layers where there are several",
    "warm_start": "the run whose weights it began with",
    **{key: glossary.TERMS[key] for key in ("algorithm", "split", "seed")},
}


def _help(key: str) -> str | None:
    if "@" in key:
        return "bits per byte after adaptation: the mean over this role's tasks that the run has not seen"
    return "its last value" if key.startswith("metric.") else _HELP.get(key)
