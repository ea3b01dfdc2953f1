"""What a command prints: JSON lines as they are, or the same lines as tables and sentences for people.

stdout carries answers only; sentences about what goes on, and errors, go to stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Line = Mapping[str, Any]
_NOT_FOR_PEOPLE = {"event", "id", "run_id", "chars"}


def note(text: str) -> None:
    """A sentence for the reader of the terminal."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def print_json(lines: Iterable[Line]) -> None:
    """One JSON object a line, each out at once: whoever reads the pipe follows a run while it trains."""
    for line in lines:
        print(json.dumps(line, ensure_ascii=False, allow_nan=False), flush=True)


def table_of(*columns: str) -> Callable[[Iterable[Line]], None]:
    """A printer of lines as one table of these columns; JSON has all of them."""

    def print_table(lines: Iterable[Line]) -> None:
        rows = list(lines)
        if rows:
            _print_rows(rows, columns)
        else:
            note("nothing there yet")

    return print_table


def print_record(lines: Iterable[Line]) -> None:
    """Each line as names and values, one below the other; lists of lines in it as tables."""
    for line in lines:
        names = Table.grid(padding=(0, 2))
        for name, value in _flat(line):
            if not _is_table(value):
                names.add_row(name if "." in name else name.replace("_", " "), shown(value))
        _console().print(names, markup=False)
        for _, value in _flat(line):
            if _is_table(value):
                print()
                _print_rows(value, list(value[0]))


def print_stream(lines: Iterable[Line]) -> None:
    """Lines that arrive over minutes, each at once. On a terminal a report covers the one before."""
    console = _console()
    is_open = False
    for line in lines:
        text = "  ".join(_words(line))
        if console.is_terminal and line.get("event") == "report":
            console.print(text[: console.width - 1].ljust(console.width - 1), markup=False, end="\r")
            is_open = True
            continue
        if is_open:
            console.print()
            is_open = False
        console.print(text, markup=False, soft_wrap=True)


def _console() -> Console:
    """stdout: as wide as the terminal, or wide enough for every table when it is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def _print_rows(rows: Sequence[Line], columns: Sequence[str]) -> None:
    table = Table(
        *[name.replace("_", " ") for name in columns], box=None, header_style="bold", pad_edge=False
    )
    for row in rows:
        table.add_row(*[shown(row.get(name)) for name in columns])
    _console().print(table, markup=False)


def _flat(line: Line, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in line.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _words(line: Line) -> Iterator[str]:
    yield str(line.get("event", "")).ljust(10)
    for name, value in line.items():
        if name not in _NOT_FOR_PEOPLE and value is not None and not _is_nested(value):
            yield f"{name.replace('_', ' ')} {shown(value)}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def shown(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, tuple):
        return " ".join(shown(item) for item in value)
    return str(value)
