"""Every setting of a run as a widget, made from `RunConfig.keys()`: name, one line of help, range.

A setting that differs from its default stands in the URL under the very key that `--set` takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from metalm.config import ALGORITHMS, PRESETS, RunConfig
from metalm.dashboard import messages, state
from metalm.dashboard.widgets import LARGEST
from metalm.errors import ConfigError

_GROUPS = {
    "inner": "Inner loop",
    "optimizer": "Outer loop",
    "drawing": "Meta-batch",
    "validation": "Meta-validation",
    "model": "Network",
    "tokenizer": "Tokenizer",
}
# Set beside the split and the algorithm, not among the details.
ESSENTIAL = {"budget.amount": "Budget", "budget.unit": "Unit", "seed": "Seed", "device": "Device"}
_COLUMNS = 3


def base_config(algorithm: str, preset: str, parent: RunConfig | None = None) -> RunConfig:
    """The defaults of an algorithm and a preset; a warm start takes network and tokenizer from its parent."""
    taken = (
        {"model": PRESETS[preset]}
        if parent is None
        else {"model": parent.model, "tokenizer": parent.tokenizer}
    )
    return RunConfig(algorithm=ALGORITHMS[algorithm](), **taken)


def every_setting(config: RunConfig) -> list[tuple[str, Any, Any, Any]]:
    """(dotted key, value, field, type) of every setting of a config."""
    return list(config.keys())


def changed_settings(base: RunConfig) -> dict[str, str]:
    """What the URL asks to differ from `base`: dotted key -> text. What fits no setting is left out."""
    changed = {}
    for key, _, _, kind in every_setting(base):
        typed = _typed(key, kind)
        if typed is not None:
            changed[key] = typed
            state.choose(key, typed)  # what was remembered, as of a clone, stands in the address again
    return changed


def _typed(key: str, kind: Any) -> str | None:
    """What is chosen for a setting; None: its default. What its widget cannot show is told and forgotten."""
    typed = state.choice(key)
    if typed is None or _can_be(typed, kind):
        return typed
    messages.warning(f"{key} cannot be {typed!r}; the default is shown instead")
    state.choose(key, None)
    return None


def _can_be(typed: str, kind: Any) -> bool:
    """Whether its widget can show this value; range and what goes together are `RunConfig`'s to judge."""
    if kind is str:
        return True
    if kind not in (int, float):
        return typed in (("true", "false") if kind is bool else get_args(kind))
    try:
        return abs(kind(typed)) <= LARGEST
    except ValueError:
        return False


def choices_of(config: RunConfig) -> dict[str, str | None]:
    """What to choose so that the Train page shows this config, but for the run it starts from."""
    preset = next((name for name, model in PRESETS.items() if model == config.model), "small")
    base = base_config(config.algorithm.name, preset)
    defaults = {key: value for key, value, *_ in every_setting(base)}
    chosen: dict[str, str | None] = dict.fromkeys(every_key())
    chosen |= {key: typed_value(value) for key, value, *_ in every_setting(config) if value != defaults[key]}
    return {**chosen, "algorithm": config.algorithm.name, "preset": preset}


def every_key() -> set[str]:
    """The keys of all settings of all algorithms."""
    return {key for name in ALGORITHMS for key, *_ in every_setting(base_config(name, "small"))}


def essentials(base: RunConfig) -> None:
    """Budget, seed and device, side by side."""
    settings = {key: (default, f, kind) for key, default, f, kind in every_setting(base)}
    columns = st.columns(len(ESSENTIAL), vertical_alignment="bottom")
    for column, (key, label) in zip(columns, ESSENTIAL.items(), strict=True):
        default, f, kind = settings[key]
        with column:
            told = f.metadata["help"] + (f"; {_range(f)}" if kind in (int, float) and _range(f) else "")
            setting(key, default, kind, label, help=told)


def details(base: RunConfig) -> None:
    """All other settings, a block for each part of the config."""
    sections: dict[str, list] = {}
    for key, default, f, kind in every_setting(base):
        if key not in ESSENTIAL:
            sections.setdefault(key.partition(".")[0], []).append((key, default, f, kind))
    order = [base.algorithm.section, *_GROUPS]
    for section in sorted(sections, key=order.index):
        st.markdown(f"**{_GROUPS.get(section, base.algorithm.name)}**")
        for begin in range(0, len(sections[section]), _COLUMNS):
            row = sections[section][begin : begin + _COLUMNS]
            for column, item in zip(st.columns(_COLUMNS, vertical_alignment="bottom"), row, strict=False):
                with column:
                    _detail(base, *item)


def _detail(base: RunConfig, key: str, default: Any, f: Any, kind: Any) -> None:
    """One setting with its help in sight."""
    name, told = key.partition(".")[2].replace("_", " "), f.metadata["help"]
    if kind is bool:  # a toggle's label is one line
        setting(key, default, kind, f"**{name}**")
        st.caption(told)
    else:
        options = fitting_options(base, key, kind)
        told += f"; {_range(f)}" if kind in (int, float) and _range(f) else ""
        setting(key, default, kind, f"**{name}** · :gray[{told}]", options=options)


def _range(f: Any) -> str:
    """What a number may be, in words."""
    low, high = f.metadata["at_least"], f.metadata["at_most"]
    if high is None:
        return "" if low is None else f"{low:g} or more"
    return f"{high:g} or less" if low is None else f"{low:g} to {high:g}"


def fitting_options(base: RunConfig, key: str, kind: Any) -> list[str]:
    """Those choices of a setting that go together with the others as they are now; all when none does."""
    others = {other: state.choice(other) for other, *_ in every_setting(base) if other != key}
    others = {other: typed for other, typed in others.items() if typed is not None}
    every = list(get_args(kind))
    return [option for option in every if _fits_with(base, {**others, key: option})] or every


def _fits_with(base: RunConfig, settings: dict[str, str]) -> bool:
    try:
        base.with_settings(settings)
    except ConfigError:
        return False
    return True


def setting(
    key: str,
    default: Any,
    kind: Any,
    label: str,
    *,
    help: str | None = None,
    options: Sequence[str] = (),
) -> None:
    """One setting as the widget that fits its type; a change goes into the URL.

    help: a tooltip. options: of a choice, those that are offered; the present one always is.
    """
    typed = _typed(key, kind)
    widget_key = f"setting.{key}"
    st.session_state[widget_key] = default if typed is None else _parsed(typed, kind)
    kwargs = {"key": widget_key, "help": help, "on_change": _adopt, "args": (key, default)}
    if kind is bool:
        st.toggle(label, **kwargs)
    elif kind in (int, float):
        # Its range is the config's to judge: a browser would keep the last number within it.
        step, shape = (1, "%d") if kind is int else (_step(default), "%g")
        st.number_input(label, step=step, format=shape, **kwargs)
    elif kind is str:
        st.text_input(label, **kwargs)
    else:
        present = st.session_state[widget_key]
        offered = [option for option in get_args(kind) if not options or option in (*options, present)]
        st.selectbox(label, offered, disabled=len(offered) == 1, **kwargs)


def entered(key: str) -> Any:
    """What the widget of a setting holds: for the callback of a button."""
    return state.entered(f"setting.{key}")


def _adopt(key: str, default: Any) -> None:
    value = st.session_state[f"setting.{key}"]
    state.choose(key, None if value == default or value is None else typed_value(value))


def typed_value(value: Any) -> str:
    """A value as one types it behind `--set key=`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        f"{value:g}"
        if isinstance(value, float) and f"{value:g}" and float(f"{value:g}") == value
        else str(value)
    )


def _parsed(typed: str, kind: Any) -> Any:
    if kind is bool:
        return typed == "true"
    return kind(typed) if kind in (int, float) else typed


def _step(default: float) -> float:
    """A step of a tenth of the default's power of ten: 0.5 -> 0.1, 0.003 -> 0.001."""
    if default == 0:
        return 0.1
    return float(f"1e{int(f'{default:e}'.partition('e')[2])}")


def reset() -> None:
    """Forget every changed setting: made for a button's `on_click`."""
    state.choose_all(dict.fromkeys(every_key()))
