"""What a browser lacks of a figure: the parts that changed since the one that it has.

A typed array (`{"dtype": ..., "bdata": ...}`) whose beginning and end stayed is sent as its middle, with how
many numbers to keep at either side. Anything else that changed is sent whole.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WORTH = 0.7  # of the whole; a change that is larger is sent as a whole
_SIZES = {"i1": 1, "u1": 1, "i2": 2, "u2": 2, "i4": 4, "u4": 4, "f4": 4, "f8": 8}


@dataclass(frozen=True)
class Sent:
    """A figure as a browser has it, the version by which it knows it, and the message that brought it."""

    figure: dict[str, Any]
    version: int
    message: dict[str, Any]


def message(figure: dict[str, Any], sent: Sent | None) -> Sent:
    """What to send, so that a browser that has `sent` (None: nothing) comes to have `figure`.

    The message has a `version`, and either `figure` or `base`, the version it builds on, with `traces` and
    `layout` (None where it stayed). The same figure again is the same message.
    """
    if sent is not None and sent.figure == figure:
        return sent
    version = int.from_bytes(os.urandom(6))
    if sent is not None and len(sent.figure["data"]) == len(figure["data"]):
        traces = [_trace(old, new) for old, new in zip(sent.figure["data"], figure["data"], strict=True)]
        if _size(traces) < _WORTH * _size(figure["data"]):
            layout = None if sent.figure["layout"] == figure["layout"] else figure["layout"]
            parts = {"base": sent.version, "traces": traces, "layout": layout}
            return Sent(figure, version, {"version": version, **parts})
    return Sent(figure, version, {"version": version, "figure": figure})


def _trace(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`whole`, or `changed`: of a trace of the same kind, what is not as it was."""
    if set(old) != set(new) or old.get("uid") != new.get("uid"):
        return {"whole": new}
    changed = {name: _value(old[name], value) for name, value in new.items() if old[name] != value}
    return {"changed": changed}


def _value(old: Any, new: Any) -> Any:
    if not (_is_typed(old) and _is_typed(new) and old["dtype"] == new["dtype"]):
        return new
    size = _SIZES[new["dtype"]]
    before, after = base64.b64decode(old["bdata"]), base64.b64decode(new["bdata"])
    head = _common(before, after) // size * size
    tail = _common(before[head:][::-1], after[head:][::-1]) // size * size
    middle = after[head : len(after) - tail]
    return {
        "head": head // size,
        "tail": tail // size,
        "dtype": new["dtype"],
        "middle": base64.b64encode(middle).decode(),
    }


def _is_typed(value: Any) -> bool:
    return isinstance(value, dict) and value.get("dtype") in _SIZES and "shape" not in value


def _common(left: bytes, right: bytes) -> int:
    """How many bytes two texts begin with alike."""
    return len(os.path.commonprefix([left, right]))


def _size(value: Any) -> int:
    """About as many characters as it has as JSON."""
    if isinstance(value, dict):
        return sum(len(name) + 4 + _size(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return sum(_size(item) + 1 for item in value)
    return len(value) if isinstance(value, str) else 8
