"""A query set whose characters are coloured by what they cost, with a slider over adaptation steps.

All steps go to the browser at once: moving the slider costs no rerun. The browser groups code points into
what readers call characters (grapheme clusters) and adds their bits, so that none is lost.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from metalm.dashboard import palette

_UNIT = 128  # bits go to the browser as whole 1/128 bits, two bytes each


@dataclass(frozen=True)
class AdaptedText:
    """One run's way through the adaptation to one text.

    bits: (S, C) bits of each of the C code points of the query set, at each of the S steps, step 0 first.
    bits_per_byte: (S,) the whole query set's. guesses: by step, what the run expected at each code point, as
    `metalm.evaluate.guesses.Guesses.to_json` tells it.
    """

    name: str
    colour: str
    bits: np.ndarray
    bits_per_byte: Sequence[float]
    guesses: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


def bits_by_character(text: str, byte_bits: np.ndarray) -> np.ndarray:
    """(S, C) bits of the C code points of `text`, from the (S, B) bits of its B UTF-8 bytes."""
    widths = [len(character.encode()) for character in text]
    if sum(widths) != byte_bits.shape[1]:
        raise ValueError(f"byte_bits must have {sum(widths)} columns for this text, got {byte_bits.shape[1]}")
    if not widths:
        return np.zeros((len(byte_bits), 0))
    return np.add.reduceat(byte_bits, np.cumsum([0, *widths[:-1]]), axis=1)


def character_view(text: str, adapted: Sequence[AdaptedText], *, key: str) -> None:
    """Show `text` once for each of `adapted`, side by side, under one slider.

    The next call under the same `key` may add steps: the reader's place in the text is kept.
    """
    _mount()(key=key, data=view_data(text, adapted))


def view_data(text: str, adapted: Sequence[AdaptedText]) -> dict[str, Any]:
    """What the JavaScript of the view draws, as plain data.

    text: the query set, any Unicode; every control character in it is made visible. Raises ValueError when
    the bits of one do not fit the text.
    """
    for one in adapted:
        if one.bits.shape[1] != len(text):
            raise ValueError(f"bits of {one.name!r} must have {len(text)} columns, got {one.bits.shape[1]}")
    return {
        "text": text,
        "panels": [_panel(one) for one in adapted],
        "unit": _UNIT,
        "sequential": palette.SEQUENTIAL,
        "diverging": palette.DIVERGING,
        "on_ramp": palette.ON_RAMP,
        "twins": palette.DARK_TWIN,
    }


def sources() -> tuple[str, str]:
    """The JavaScript and the style sheet of the view, for a page without Streamlit."""
    here = Path(__file__)
    names = (here.with_name("character_view.js"), here.with_name("character_view.css"))
    return names[0].read_text(encoding="utf-8"), names[1].read_text(encoding="utf-8")


def _panel(one: AdaptedText) -> dict:
    coded = np.clip(np.round(one.bits * _UNIT), 0, 65535).astype("<u2")
    return {
        "name": one.name,
        "colour": one.colour,
        "steps": len(one.bits),
        "bits": base64.b64encode(coded.tobytes()).decode(),
        "bits_per_byte": [float(value) for value in one.bits_per_byte],
        "guesses": [_guesses(step, found) for step, found in sorted(one.guesses.items())],
    }


def _guesses(step: int, found: Mapping[str, Any]) -> dict:
    """One step's; chances as whole thousandths, which is what readers see of them."""
    chances = [[round(1000 * chance) for chance in row] for row in found["chances"]]
    return {"step": step, "texts": found["texts"], "places": found["places"], "chances": chances}


@cache
def _mount():
    js, css = sources()
    return st.components.v2.component(
        "metalm_character_view", html="<div class='view'></div>", css=css, js=js
    )
