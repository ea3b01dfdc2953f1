"""`metalm splits ...`"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metalm.cli.output import print_record, table_of
from metalm.cli.perform import AsJson, comma_separated, perform

commands = typer.Typer(help="Task splits: create, list, show, audit.", no_args_is_help=True)
Ref = Annotated[str, typer.Argument(metavar="SPLIT", help="Its name, or a unique prefix of name or id.")]

_LISTED = ("name", "meta_train", "meta_validation", "meta_test", "fold", "folds", "created_at")


@commands.command()
def create(
    context: typer.Context,
    name: str,
    validation: Annotated[str, typer.Option(help="Tasks of meta-validation: a,b.")] = "",
    test: Annotated[str, typer.Option(help="Tasks of meta-test: c,d.")] = "",
    corpora: Annotated[str | None, typer.Option(help="Texts to cut into tasks (default: all).")] = None,
    by: Annotated[
        Literal["corpus", "group", "chunks"],
        typer.Option(help="A task is a corpus, a value of its group column, or a chunk of it."),
    ] = "corpus",
    chunk_bytes: Annotated[int, typer.Option(min=1024, help="Bytes of a chunk.")] = 100_000,
    as_json: AsJson = False,
) -> None:
    """Freezes a split: the tasks named have their roles, all others are meta-train."""
    perform(
        context,
        "splits create",
        show=print_record,
        as_json=as_json,
        name=name,
        validation=comma_separated(validation),
        test=comma_separated(test),
        corpora=comma_separated(corpora) or None,
        by=by,
        chunk_bytes=chunk_bytes,
    )


@commands.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Lists all splits."""
    perform(context, "splits list", show=table_of(*_LISTED), as_json=as_json)


@commands.command()
def show(context: typer.Context, split: Ref, as_json: AsJson = False) -> None:
    """Shows a split and its tasks."""
    perform(context, "splits show", show=print_record, as_json=as_json, split=split)


@commands.command()
def audit(context: typer.Context, split: Ref, as_json: AsJson = False) -> None:
    """Looks for text that stands in two roles, or in a task's support and query; worst first."""
    perform(
        context,
        "splits audit",
        show=table_of("kind", "left", "right", "share", "shared", "example"),
        as_json=as_json,
        split=split,
    )
