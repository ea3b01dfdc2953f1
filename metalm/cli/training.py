"""`metalm train`, `evaluate`, `adapt` and `sample`: making a run and using it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metalm.cli.budget import Minutes, Steps, Tokens, one_budget
from metalm.cli.output import print_record, print_stream, table_of
from metalm.cli.perform import AsJson, absolute, comma_separated, perform
from metalm.cli.runs import Detach, Ref
from metalm.config import ALGORITHMS, GROUPS, METHODS, PRESETS

_EVALUATED = ("name", "task", "method", "support_bytes", "draw", "step", "bits_per_byte", "seen")


def add_to(cli: typer.Typer) -> None:
    """Makes these the root's own commands."""
    for command in (train, evaluate, adapt, sample):
        cli.command()(command)


def train(
    context: typer.Context,
    split: Annotated[str, typer.Option(help="The task split to train on.")],
    algorithm: Annotated[str, typer.Option(help=f"One of {', '.join(ALGORITHMS)}.")] = "fomaml",
    preset: Annotated[str | None, typer.Option(help=f"Sizes of the network: {', '.join(PRESETS)}.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as inner.lr=0.1."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Every random draw follows from it.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cuda, mps or cpu.")] = None,
    init: Annotated[
        str | None, typer.Option(metavar="RUN", help="Start from a finished run's weights.")
    ] = None,
    steps: Steps = None,
    tokens: Tokens = None,
    minutes: Minutes = None,
    name: Annotated[str, typer.Option(help="What to call the run.")] = "",
    detach: Detach = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Launch nothing: measure what it would take, in seconds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Trains a run and follows it. Ctrl-C stops it with a checkpoint; beside an app it goes on there."""
    settings = pairs(set_)
    budget = one_budget(steps=steps, tokens=tokens, minutes=minutes)
    if budget is not None:
        settings |= {"budget.unit": budget[0], "budget.amount": str(budget[1])}
    settings |= {key: str(value) for key, value in (("seed", seed), ("device", device)) if value is not None}
    asked = {"split": split, "algorithm": algorithm, "preset": preset, "settings": settings, "init": init}
    if estimate:
        perform(context, "estimate", show=print_record, as_json=as_json, **asked)
    else:
        perform(context, "train", show=print_stream, as_json=as_json, **asked, name=name, detach=detach)


def evaluate(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Names, or unique prefixes of ids.")],
    split: Annotated[
        str | None, typer.Option(help="Default: the split that each run was trained on.")
    ] = None,
    role: Annotated[
        Literal["meta-train", "meta-validation", "meta-test"],
        typer.Option(help="Whose tasks; meta-test is recorded as opened."),
    ] = "meta-validation",
    support: Annotated[str, typer.Option(help="Bytes of support sets: 0,2048,10240.")] = "0,2048,10240",
    steps: Annotated[
        int | None, typer.Option(min=0, help="Adaptation steps (default: the run's own).")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Support sets of each size.")] = 1,
    baselines: Annotated[bool, typer.Option("--baselines", help="Baselines on the same bytes, too.")] = False,
    online: Annotated[
        bool, typer.Option("--online", help="The online track, too: dynamic evaluation, compressors.")
    ] = False,
    methods: Annotated[
        str, typer.Option(help=f"What judges: any of {', '.join(METHODS)}; or groups: {', '.join(GROUPS)}.")
    ] = "adapt",
    as_json: AsJson = False,
) -> None:
    """Measures runs on tasks, before and after adaptation; a line a measurement."""
    try:
        sizes = [int(size) for size in comma_separated(support)]
    except ValueError:
        raise typer.BadParameter(f"must be whole numbers, got {support!r}", param_hint="--support") from None
    if not sizes or min(sizes) < 0:
        raise typer.BadParameter(f"must be numbers of bytes, got {support!r}", param_hint="--support")
    perform(
        context,
        "evaluate",
        show=table_of(*_EVALUATED),
        as_json=as_json,
        runs=runs,
        split=split,
        role=role,
        support=sizes,
        steps=steps,
        draws=draws,
        methods=[*comma_separated(methods), *["baselines"] * baselines, *["online"] * online],
    )


def adapt(
    context: typer.Context,
    run: Ref,
    support: Annotated[Path, typer.Option(help="A UTF-8 file to adapt on.")],
    query: Annotated[Path, typer.Option(help="A UTF-8 file to be judged on.")],
    steps: Annotated[
        int | None, typer.Option(min=0, help="Adaptation steps (default: the run's own).")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(min=0.0, help="Their step size (default: the run's own).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Adapts a run to a text; a line a step, from 0."""
    perform(
        context,
        "adapt",
        show=print_stream,
        as_json=as_json,
        run=run,
        support=absolute(support),
        query=absolute(query),
        steps=steps,
        lr=lr,
    )


def sample(
    context: typer.Context,
    run: Ref,
    support: Annotated[Path | None, typer.Option(help="A UTF-8 file to adapt on before.")] = None,
    prompt: Annotated[str, typer.Option(help="What the text begins with.")] = "",
    num_bytes: Annotated[int, typer.Option("--bytes", min=1, max=100_000, help="How many to write.")] = 200,
    temperature: Annotated[float, typer.Option(min=0.0, max=10.0, help="0: always the likeliest.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds give other texts.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Writes text with a run, adapted or not."""
    perform(
        context,
        "sample",
        show=print_record,
        as_json=as_json,
        run=run,
        support=absolute(support) if support else None,
        prompt=prompt,
        num_bytes=num_bytes,
        temperature=temperature,
        seed=seed,
    )


def pairs(texts: list[str] | None) -> dict[str, str]:
    """The settings of every `--set key=value`."""
    return dict(_pair(text) for text in texts or [])


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise typer.BadParameter(f"must be key=value, got {text!r}", param_hint="--set")
    return key.strip(), value.strip()
