"""`metalm report ...`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalm.cli.output import print_stream
from metalm.cli.perform import AsJson, absolute, perform


def add_to(cli: typer.Typer) -> None:
    """Adds the commands of this module."""
    cli.command()(report)


def report(
    context: typer.Context,
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="The first is what others are held against.")
    ],
    out: Annotated[Path, typer.Option(help="A file that ends in .html (charts to zoom in) or .md.")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
) -> None:
    """Writes runs side by side into one file: curves, results with intervals, settings that differ."""
    if out.suffix not in (".html", ".md"):
        raise typer.BadParameter(f"must end in .html or .md, got {out.name}", param_hint="--out")
    perform(context, "report", show=print_stream, as_json=as_json, runs=runs, out=absolute(out))
