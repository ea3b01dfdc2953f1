"""The options of a budget, one of which may be given."""

from __future__ import annotations

from typing import Annotated

import typer

Steps = Annotated[int | None, typer.Option(min=1, help="Outer steps.")]
Tokens = Annotated[int | None, typer.Option(min=1, help="Tokens trained on.")]
Minutes = Annotated[float | None, typer.Option(min=0.01, help="Minutes of training.")]


def one_budget(*, steps: int | None, tokens: int | None, minutes: float | None) -> tuple[str, float] | None:
    """(unit, amount) of the one that is given, None when none is. Two of them are wrong usage."""
    asked = {"steps": steps, "tokens": tokens, "minutes": minutes}
    given = [(unit, amount) for unit, amount in asked.items() if amount is not None]
    if len(given) > 1:
        names = " and ".join(f"--{unit}" for unit, _ in given)
        raise typer.BadParameter(f"a budget has one unit; {names} exclude each other")
    return given[0] if given else None
