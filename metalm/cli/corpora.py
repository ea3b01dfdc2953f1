"""`metalm corpora ...`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalm.cli.output import print_record, print_stream, table_of
from metalm.cli.perform import AsJson, absolute, perform

commands = typer.Typer(help="Texts: add, list, show, delete.", no_args_is_help=True)
Ref = Annotated[str, typer.Argument(metavar="CORPUS", help="Its name, or a unique prefix of name or id.")]


@commands.command()
def add(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(help="Files (.txt .md .csv .tsv .jsonl .parquet .zip) or folders.")
    ],
    name: Annotated[str | None, typer.Option(help="Name it so, not by its file (one file only).")] = None,
    encoding: Annotated[str, typer.Option(help="The encoding of the files; auto detects it.")] = "auto",
    text_column: Annotated[str | None, typer.Option(help="Tables: the column that holds the text.")] = None,
    group_column: Annotated[
        str | None, typer.Option(help="Tables: the column whose values become tasks.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the text.")] = "",
    licence: Annotated[str, typer.Option(help="Its licence.")] = "",
    source: Annotated[str, typer.Option(help="Where it is from.")] = "",
    as_json: AsJson = False,
) -> None:
    """Adds texts to the home, a line a file."""
    if name is not None and len(paths) > 1:
        raise typer.BadParameter("only one file can be named", param_hint="--name")
    perform(
        context,
        "corpora add",
        show=print_stream,
        as_json=as_json,
        paths=[absolute(path) for path in paths],
        name=name,
        encoding=encoding,
        text_column=text_column,
        group_column=group_column,
        language=language,
        licence=licence,
        source=source,
    )


@commands.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Lists all texts by name."""
    perform(
        context,
        "corpora list",
        show=table_of("name", "language", "bytes", "chars", "lines", "licence"),
        as_json=as_json,
    )


@commands.command()
def show(context: typer.Context, corpus: Ref, as_json: AsJson = False) -> None:
    """Shows a text and its statistics."""
    perform(context, "corpora show", show=print_record, as_json=as_json, corpus=corpus)


@commands.command()
def delete(context: typer.Context, corpus: Ref, as_json: AsJson = False) -> None:
    """Deletes a text; refused while a split uses it."""
    perform(context, "corpora delete", show=print_stream, as_json=as_json, corpus=corpus)
