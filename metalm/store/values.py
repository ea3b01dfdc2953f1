"""How Python values are kept in DuckDB: times as naive UTC, mappings and lists as JSON, names told apart."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

Record = TypeVar("Record")


def now() -> datetime:
    """The present, UTC and aware."""
    return datetime.now(UTC)


def new_id() -> str:
    """12 hex digits, never the same twice."""
    return uuid.uuid4().hex[:12]


def naive(time: datetime | None) -> datetime | None:
    """An aware time as stored: DuckDB would shift it to the session's time zone."""
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None)


def aware(time: datetime | None) -> datetime | None:
    """A stored time as the rest of metalm knows it."""
    return None if time is None else time.replace(tzinfo=UTC)


def to_json(value: Any) -> str:
    """JSON text; refuses NaN and infinity, which no other reader of JSON takes."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def from_json(text: str | None) -> Any:
    """What `to_json` wrote; None for NULL."""
    return None if text is None else json.loads(text)


def record(
    kind: type[Record], row: tuple, *, json: Collection[str] = (), tuples: Collection[str] = ()
) -> Record:
    """The dataclass `kind` from a row whose columns stand in the order of its fields.

    json: fields kept as JSON; tuples: those kept as JSON lists. Times become aware.
    """
    values = {field.name: value for field, value in zip(fields(kind), row, strict=True)}
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = aware(value)
    values |= {name: from_json(values[name]) for name in json}
    values |= {name: tuple(from_json(values[name])) for name in tuples}
    return kind(**values)


def free_name(name: str, taken: Collection[str]) -> str:
    """`name`, or `name-2`, `name-3` ... where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
