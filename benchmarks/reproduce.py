"""The results that metalm stands behind: runs the study `claims` and writes docs/results.md.

    python benchmarks/reproduce.py [--full] [--home runs/reproduce] [--docs docs] [--set NAME=VALUE ...]

Stopped, it goes on where it was when it is called again with the same settings. Nothing in the file is typed
by hand: what is measured comes from the study, what was run from the settings of its runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from metalm.jobs.resources import keep_memory, let_threads_sleep  # noqa: E402 (a script beside the package)

NAME = "results"
# For hours, or for a GPU where there is one.
FULL = {
    "preset": "base",
    "algorithms": "fomaml,maml,meta-sgd,maml++,reptile,anil,cavia,imaml",
    "joint_tokens": "60000000",
    "meta_tokens": "30000000",
    "draws": "3",
    "costly_seeds": "3",
    "costly_splits": "languages,domains",
    "controls": "optimizer.lr=0.001;model.dropout=0.1;optimizer.weight_decay=0.1;drawing.made_up=0.2",
    "meta_tried": "inner.steps=15;inner.lr=0.25;drawing.made_up=0.2;optimizer.lr=0.003",
}
MODELS = ROOT / "metalm" / "samples" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the budget for hours, or for a GPU")
    parser.add_argument("--home", type=Path, default=ROOT / "runs" / "reproduce")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of the study")
    asked = parser.parse_args()
    let_threads_sleep()
    keep_memory()
    settings = {**(FULL if asked.full else {}), **dict(text.split("=", 1) for text in asked.set)}
    begun = time.monotonic()
    report = carried_out(asked.home, settings)
    minutes = None if report.pop("went_on") else (time.monotonic() - begun) / 60
    write(report, asked.docs, machine(settings, asked.full, minutes))
    print(f"written: {asked.docs / 'results.md'}")


def carried_out(home_dir: Path, settings: dict[str, str]) -> dict:
    """The report of the study with these settings, as JSON data; it is gone on with where one was begun."""
    from metalm.operations.session import open_session
    from metalm.studies.kinds import kind_of

    wanted = kind_of("claims").of(settings).to_json()
    with open_session(home_dir, doing="reproduce") as session:
        known = [
            line["id"]
            for line in session.call("study list")
            if next(session.call("study show", study=line["id"]))["settings"] == wanted
        ]
        if known:
            lines = session.call("study resume", study=known[0])
        else:
            lines = session.call("study run", kind="claims", settings=settings, name=NAME)
        said = list(told(lines))
        if not any(line.get("event") == "reported" for line in said):
            raise SystemExit("stopped; the same command goes on")
        study = next(line["study"] for line in said if line.get("event") == "reported")
        file = Path(next(session.call("study report", study=study))["markdown"]).with_name("report.json")
    return {
        **json.loads(file.read_text(encoding="utf-8")),
        "folder": str(file.parent),
        "went_on": bool(known),
    }


def told(lines: Iterator[dict]) -> Iterator[dict]:
    for line in lines:
        if line.get("event") in ("training", "trained", "evaluating", "reported", "ended"):
            words = " ".join(
                str(line[key]) for key in ("event", "key", "name", "bits_per_byte") if line.get(key)
            )
            print(f"{datetime.now():%H:%M:%S} {words}", flush=True)
        yield line


def write(report: dict, docs: Path, made_by: str) -> None:
    """docs/results.md and its figures."""
    from metalm.studies.pages import markdown
    from metalm.studies.report import FIGURES_DIR, Report

    figures = docs / NAME
    shutil.rmtree(figures, ignore_errors=True)
    shutil.copytree(Path(report.pop("folder")) / FIGURES_DIR, figures)
    text = markdown(Report.from_json(report)).replace(f"]({FIGURES_DIR}/", f"]({NAME}/")
    title, _, rest = text.partition("\n")
    blocks = [title, made_by, rest.strip(), shipped()]
    (docs / "results.md").write_text("\n\n".join(filter(None, blocks)) + "\n", encoding="utf-8")


def machine(settings: dict[str, str], is_full: bool, minutes: float | None) -> str:
    """What made the numbers, how, and in what time; None for a study that was stopped and gone on with."""
    from metalm.home.versions import versions

    options = ["--full"] if is_full else [f"--set {key}={value}" for key, value in settings.items()]
    command = " ".join(["python benchmarks/reproduce.py", *options])
    told_versions = ", ".join(f"{name} {value}" for name, value in versions().items())
    took = "" if minutes is None else f", in {minutes:.0f} minutes"
    return (
        f"Written by `{command}` (`make reproduce`) on {datetime.now(UTC):%Y-%m-%d}{took}. "
        f"{processor()}, {os.cpu_count()} cores; {told_versions}. "
        "Nothing here is typed by hand."
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")


def shipped() -> str:
    """How the models that ship were made: the commands lie beside them."""
    commands = MODELS / "commands.sh"
    if not commands.exists():
        return ""
    lines = commands.read_text(encoding="utf-8").splitlines()
    head = "## The shipped models\n\nMade by these commands, in a home of their own:\n\n"
    return head + "\n".join(f"    {line}" for line in lines)


if __name__ == "__main__":
    main()
