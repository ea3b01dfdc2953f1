"""`metalm runs ...`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metalm.cli.budget import Minutes, Steps, Tokens, one_budget
from metalm.cli.output import print_record, print_stream, table_of
from metalm.cli.perform import AsJson, absolute, perform

commands = typer.Typer(
    help="Runs: list, show, twin, stop, resume, extend, archive, delete, export, import.",
    no_args_is_help=True,
)
Ref = Annotated[str, typer.Argument(metavar="RUN", help="Its name, or a unique prefix of its id.")]
_LISTED = ("name", "status", "algorithm", "split", "step", "progress", "best_bits_per_byte", "id")
Half = Annotated[bool, typer.Option("--half", help="Weights in half precision: half as large.")]
Points = Annotated[int | None, typer.Option(min=2, help="About so many of each curve, not all.")]
Detach = Annotated[bool, typer.Option("--detach", help="Only queue it; a running app trains it.")]


@commands.command("list")
def list_(
    context: typer.Context,
    archived: Annotated[bool, typer.Option("--archived", help="The archived runs, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists runs, newest first."""
    perform(context, "runs list", show=table_of(*_LISTED), as_json=as_json, archived=archived)


@commands.command()
def show(context: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """Shows all that is known about a run."""
    perform(context, "runs show", show=print_record, as_json=as_json, run=run)


@commands.command()
def twin(
    context: typer.Context,
    run: Ref,
    name: Annotated[str, typer.Option(help="What to call the twin.")] = "",
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Trains the control of a meta-trained run: joint from the same start, for as much compute."""
    perform(context, "runs twin", show=print_stream, as_json=as_json, run=run, name=name, detach=detach)


@commands.command()
def stop(context: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """Stops a run that an app trains, with a checkpoint; or takes it off the queue."""
    perform(context, "runs stop", show=print_stream, as_json=as_json, run=run)


@commands.command()
def resume(context: typer.Context, run: Ref, detach: Detach = False, as_json: AsJson = False) -> None:
    """Trains a stopped, failed or interrupted run on, from its checkpoint."""
    perform(context, "runs resume", show=print_stream, as_json=as_json, run=run, detach=detach)


@commands.command()
def extend(
    context: typer.Context,
    run: Ref,
    steps: Steps = None,
    tokens: Tokens = None,
    minutes: Minutes = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Trains a finished run further, by so many steps, tokens or minutes more."""
    budget = one_budget(steps=steps, tokens=tokens, minutes=minutes)
    if budget is None:
        raise typer.BadParameter("say how much more: --steps, --tokens or --minutes")
    unit, amount = budget
    perform(
        context,
        "runs extend",
        show=print_stream,
        as_json=as_json,
        run=run,
        unit=unit,
        amount=amount,
        detach=detach,
    )


@commands.command()
def archive(
    context: typer.Context,
    run: Ref,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Takes a run out of the lists; it keeps everything."""
    perform(context, "runs archive", show=print_stream, as_json=as_json, run=run, archived=not undo)


@commands.command()
def delete(context: typer.Context, run: Ref, as_json: AsJson = False) -> None:
    """Deletes a run, its rows and its files."""
    perform(context, "runs delete", show=print_stream, as_json=as_json, run=run)


@commands.command()
def export(
    context: typer.Context,
    run: Ref,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A directory that is not there yet.")],
    half: Half = False,
    points: Points = None,
    as_json: AsJson = False,
) -> None:
    """Writes a run as a bundle: config, weights, metrics, evaluations."""
    perform(
        context,
        "runs export",
        show=print_stream,
        as_json=as_json,
        run=run,
        directory=absolute(directory),
        half=half,
        points=points,
    )


@commands.command("import")
def import_(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle.")],
    as_json: AsJson = False,
) -> None:
    """Takes in a bundle, after checking it."""
    perform(context, "runs import", show=print_stream, as_json=as_json, directory=absolute(directory))
