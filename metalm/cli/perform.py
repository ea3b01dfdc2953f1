"""How every command runs: open the home or find its owner, call the operation, print its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from metalm.cli.output import note, print_json
from metalm.errors import MetalmError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@dataclass(frozen=True)
class Settings:
    """What stands before the command's name."""

    home: Path
    as_json: bool


def perform(
    context: typer.Context,
    operation: str,
    *,
    show: Callable[[Iterable[Mapping[str, Any]]], None],
    as_json: bool,
    **arguments: Any,
) -> None:
    """Calls the operation, prints its lines by `show` or as JSON. Exits with 130 when Ctrl-C cut it short."""
    from metalm.operations.session import open_session

    settings: Settings = context.obj
    with open_session(settings.home, doing=operation) as session:
        lines = session.call(operation, **arguments)
        try:
            (print_json if as_json or settings.as_json else show)(lines)
        except KeyboardInterrupt:
            if session.is_remote:
                note(f"stopped following; what {operation!r} started goes on in the app that owns the home")
            raise
        except MetalmError:
            # What a Ctrl-C cut short may miss what it was to give: that is no news to who pressed it.
            if not session.interrupted:
                raise
    if session.interrupted:
        raise typer.Exit(130)


def comma_separated(text: str | None) -> list[str]:
    """The words of `a,b,c`."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def absolute(path: Path) -> str:
    """A path as another process, with another working directory, understands it."""
    return str(path.absolute())
