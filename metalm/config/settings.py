"""The base of every config dataclass: a field carries its help and its range, and is checked at birth."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import field
from typing import Any, ClassVar, get_args, get_type_hints

from metalm.errors import ConfigError


def setting(default: Any, help: str, *, at_least: float | None = None, at_most: float | None = None) -> Any:
    """A dataclass field with its help text and its range (both ends included)."""
    return field(default=default, metadata={"help": help, "at_least": at_least, "at_most": at_most})


class Settings:
    """Base of all config dataclasses: types and ranges are checked once, when the object is born."""

    section: ClassVar[str] = ""

    def key(self, field_name: str) -> str:
        """The dotted name by which users know a field: `inner.lr`."""
        return f"{self.section}.{field_name}" if self.section else field_name

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for f in dataclasses.fields(self):
            if "help" in f.metadata:
                self._check(f, getattr(self, f.name), hints[f.name])

    def _check(self, f: dataclasses.Field, value: Any, kind: Any) -> None:
        name = self.key(f.name)
        choices = get_args(kind)
        if choices and all(isinstance(choice, str) for choice in choices):
            if value not in choices:
                raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
            return
        if kind is bool:
            if not isinstance(value, bool):
                raise ConfigError(f"{name} must be true or false, got {value!r}")
            return
        if kind is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise ConfigError(f"{name} must be a whole number, got {value!r}")
        if kind is float and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            raise ConfigError(f"{name} must be a finite number, got {value!r}")
        low, high = f.metadata["at_least"], f.metadata["at_most"]
        if low is not None and value < low:
            raise ConfigError(f"{name} must be {low:g} or more, got {value!r}")
        if high is not None and value > high:
            raise ConfigError(f"{name} must be {high:g} or less, got {value!r}")


def parsed(key: str, text: str, kind: Any) -> Any:
    """A value of type `kind` from text as a user typed it. Raises ConfigError, which names `key`."""
    if kind is bool:
        truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in truth:
            raise ConfigError(f"{key} must be true or false, got {text!r}")
        return truth[text.lower()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ConfigError(
                f"{key} must be a {'whole ' if kind is int else ''}number, got {text!r}"
            ) from None
    return text


def pairs(key: str, text: str) -> dict[str, str]:
    """The settings of `inner.lr=0.1, inner.steps=3`: dotted keys and text. Raises ConfigError with `key`."""
    found = {}
    for word in filter(None, map(str.strip, text.split(","))):
        name, separator, value = map(str.strip, word.partition("="))
        if not separator or not name or not value:
            raise ConfigError(f"{key} must be key=value with commas between, got {word!r}")
        found[name] = value
    return found
