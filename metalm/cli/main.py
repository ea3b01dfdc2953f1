"""`python -m metalm`: the root of the command line, and what all its commands share.

Exit codes: 0, 2 for wrong usage, 1 for a MetalmError (one line on stderr), 130 when Ctrl-C ended the command.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from metalm.cli import corpora, runs, sharing, splits, studies, training
from metalm.cli.output import note, print_stream
from metalm.cli.perform import AsJson, Settings, perform
from metalm.config.places import ROOT, default_home
from metalm.errors import MetalmError
from metalm.jobs.resources import keep_memory, let_threads_sleep

cli = typer.Typer(
    help="Meta-trains small GRU language models on many texts, and shows how they adapt to new ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cli.add_typer(corpora.commands, name="corpora")
cli.add_typer(splits.commands, name="splits")
cli.add_typer(runs.commands, name="runs")
cli.add_typer(studies.commands, name="study")
training.add_to(cli)
sharing.add_to(cli)


@cli.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(envvar="METALM_HOME", help="The home directory (default: runs/).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    context.obj = Settings(home=(home or default_home()).absolute(), as_json=as_json)


@cli.command()
def app(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where it listens (default: 8501).")
    ] = None,
) -> None:
    """Serves the dashboard, for a browser on this machine."""
    environment = {**os.environ, "METALM_HOME": str(context.obj.home)}
    # These stand in .streamlit/config.toml, too; here no environment variable can say otherwise.
    options = {
        "server.address": "127.0.0.1",
        "browser.gatherUsageStats": "false",
        "server.fileWatcherType": "none",
    }
    if port is not None:
        options["server.port"] = str(port)
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    os.chdir(ROOT)
    os.execve(  # noqa: S606 (the very interpreter that runs this, no shell)
        sys.executable, [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), *flags], environment
    )


@cli.command()
def demo(context: typer.Context, as_json: AsJson = False) -> None:
    """Shows the main job in one command: trains two small runs and adapts them to unseen tasks."""
    perform(context, "demo", show=print_stream, as_json=as_json)


def main() -> int:
    """Runs the command of `sys.argv`; gives its exit code, or exits with it."""
    let_threads_sleep()
    keep_memory()
    try:
        cli()
    except MetalmError as error:
        note(str(error))
        return 1
    return 0
