"""`metalm study ...`"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from metalm.cli.output import print_record, print_stream, table_of
from metalm.cli.perform import AsJson, perform
from metalm.cli.runs import Detach
from metalm.cli.training import pairs
from metalm.studies.kinds import KINDS

commands = typer.Typer(
    help="Studies: run, list, show, stop, resume, report, delete. Each answers a question by a set of runs.",
    no_args_is_help=True,
)
Ref = Annotated[str, typer.Argument(metavar="STUDY", help="Its name, or a unique prefix of its id.")]
_LISTED = ("name", "kind", "status", "runs_finished", "runs_planned", "id")


@commands.command()
def run(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    split: Annotated[str | None, typer.Option(help="The task split.")] = None,
    role: Annotated[
        Literal["meta-validation", "meta-test"] | None,
        typer.Option(help="Whose tasks judge; meta-test is recorded as opened."),
    ] = None,
    algorithm: Annotated[str | None, typer.Option(help="The meta-learning algorithm.")] = None,
    preset: Annotated[str | None, typer.Option(help="Size of the network.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs of each kind.")] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of joint pre-training, and as many of meta-training.")
    ] = None,
    support: Annotated[str | None, typer.Option(help="Bytes of support sets: 512,2048.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting of the study: see `study settings`."),
    ] = None,
    name: Annotated[str, typer.Option(help="What to call the study.")] = "",
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Trains and evaluates what a question needs, then writes a report. Ctrl-C stops it; `resume` goes on."""
    both = None if tokens is None else str(tokens)
    named = {"split": split, "role": role, "algorithm": algorithm, "preset": preset, "seeds": seeds}
    named |= {"joint_tokens": both, "meta_tokens": both, "support": support}
    settings = {key: str(value) for key, value in named.items() if value is not None} | pairs(set_)
    arguments = {"kind": kind, "settings": settings, "name": name, "detach": detach}
    perform(context, "study run", show=print_stream, as_json=as_json, **arguments)


@commands.command()
def settings(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    as_json: AsJson = False,
) -> None:
    """Lists the settings of a kind of study, with what they mean."""
    perform(
        context,
        "study settings",
        show=table_of("name", "default", "help"),
        as_json=as_json,
        kind=kind,
    )


@commands.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """Lists studies, newest first."""
    perform(context, "study list", show=table_of(*_LISTED), as_json=as_json)


@commands.command()
def show(context: typer.Context, study: Ref, as_json: AsJson = False) -> None:
    """Shows a study, its runs and what it found."""
    perform(context, "study show", show=print_record, as_json=as_json, study=study)


@commands.command()
def stop(context: typer.Context, study: Ref, as_json: AsJson = False) -> None:
    """Stops a study that an app carries out; the run in training gets a checkpoint."""
    perform(context, "study stop", show=print_stream, as_json=as_json, study=study)


@commands.command()
def resume(context: typer.Context, study: Ref, detach: Detach = False, as_json: AsJson = False) -> None:
    """Carries a study on from where it stands; nothing is made twice."""
    perform(context, "study resume", show=print_stream, as_json=as_json, study=study, detach=detach)


@commands.command()
def report(context: typer.Context, study: Ref, as_json: AsJson = False) -> None:
    """Writes the report anew, as Markdown and as one HTML file, and says where they are."""
    perform(context, "study report", show=print_record, as_json=as_json, study=study)


@commands.command()
def delete(context: typer.Context, study: Ref, as_json: AsJson = False) -> None:
    """Deletes a study and its report; its runs stay."""
    perform(context, "study delete", show=print_stream, as_json=as_json, study=study)
