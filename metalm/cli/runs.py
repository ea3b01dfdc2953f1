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
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A directory that is not there yet.")],
    half: Half = False,
    points: Points = None,
    to: Annotated[
        str | None, typer.Option(help="Not a bundle, but for tensorboard, mlflow or wandb (offline).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Writes a run as a bundle (config, weights, metrics, evaluations), or into another tracker's store."""
    if to is not None:
        if half or points is not None:
            raise typer.BadParameter("--half and --points are of bundles", param_hint="--to")
        arguments = {"runs": [run], "tracker": to, "place": place(directory)}
        return perform(context, "runs export to", show=print_stream, as_json=as_json, **arguments)
    return perform(
        context,
        "runs export",
        show=print_stream,
        as_json=as_json,
        run=run,
        directory=absolute(Path(directory)),
        half=half,
        points=points,
    )


@commands.command("import")
def import_(
    context: typer.Context,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A bundle, or where a tracker's runs are.")],
    tracker: Annotated[
        str | None, typer.Option("--from", help="Not a bundle, but every run of tensorboard or mlflow there.")
    ] = None,
    loss: Annotated[
        list[str] | None,
        typer.Option(metavar="PART=SCALAR", help="validation=val/loss: what is a loss in nats per token."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Takes in a bundle, after checking it, or the curves of every run that another tracker has."""
    if tracker is not None:
        losses = _losses(loss)
        arguments = {"tracker": tracker, "place": place(directory), "losses": losses}
        return perform(context, "runs import from", show=print_stream, as_json=as_json, **arguments)
    if loss:
        raise typer.BadParameter("is of runs that come --from a tracker", param_hint="--loss")
    bundle = absolute(Path(directory))
    return perform(context, "runs import", show=print_stream, as_json=as_json, directory=bundle)


def place(typed: str) -> str:
    """A folder as another process understands it; the address of a tracker's store as it is."""
    return typed if "://" in typed else absolute(Path(typed))


def _losses(texts: list[str] | None) -> dict[str, str]:
    """part=scalar of every `--loss`."""
    losses = {}
    for text in texts or []:
        part, separator, scalar = text.partition("=")
        if not separator or part not in ("query", "support", "validation"):
            raise typer.BadParameter(
                f"must be validation=, query= or support= and a scalar, got {text!r}", param_hint="--loss"
            )
        losses[part] = scalar
    return losses
