"""The dashboard in figures: what pages take, send and keep, and other trackers beside it.

Run: `make bench`, or `python benchmarks/dashboard.py [--json] [--only PART] [--quick]`. Needs a chromium. A
row is `work, value, unit, target, met`. All of it takes an hour and more, most of it the refreshes of live
tabs. docs/performance.md has the results, and how to install the trackers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

# metalm from this checkout, installed or not.
sys.path.insert(1, str(Path(__file__).parents[1]))

from screens import adapt, curves, runs, start, tabs, tasks, trackers
from screens.rows import HEADER, Row
from screens.sizes import QUICK, Size

PARTS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "start": start.measure,
    "runs": runs.measure,
    "curves": curves.measure,
    "long": curves.measure_long,
    "tasks": tasks.measure,
    "adapt": adapt.measure,
    "tabs": tabs.measure,
    "trackers": trackers.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a row")
    form.add_argument("--markdown", action="store_true", help="the table of docs/performance.md")
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"of {', '.join(PARTS)}; may be repeated",
    )
    parser.add_argument("--quick", action="store_true", help="so little of everything that it is over soon")
    parser.add_argument("--refreshes", type=int, help="of each tab with a live chart")
    parser.add_argument(
        "--peers-python", default=sys.executable, help="the interpreter that has the trackers"
    )
    asked = parser.parse_args()
    # Servers start in folders of their own; a link to the interpreter stays one, else its packages are lost.
    python = os.path.abspath(shutil.which(asked.peers_python) or asked.peers_python)
    size = replace(QUICK if asked.quick else Size(), peers_python=python)
    if asked.refreshes:
        size = replace(size, refreshes=asked.refreshes)
    show = Row.as_json if asked.json else Row.as_markdown if asked.markdown else Row.as_line
    if asked.markdown:
        print(HEADER)
    for part in asked.only or PARTS:
        for row in PARTS[part](size):
            print(show(row), flush=True)


if __name__ == "__main__":
    main()
