"""How fast the engine is: meta-steps, joint training, adaptation and sampling, beside what others need.

Run: `make bench`, or `python benchmarks/engine.py [--json] [--only PATTERN]`. docs/performance.md
has the results, and how to install the libraries that are the peers.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

# Here as in the workers: metalm from this checkout, installed or not.
sys.path.insert(1, str(Path(__file__).parents[1]))

from contest.machine import described
from contest.rounds import Terms, measure
from contest.table import HEADER, Row, against_peers, over_tasks
from contest.works import LARGE_GEMM, LIMIT, OURS, SMALL_GEMM, SWEEP, SWEPT, WORKS, Work


def beside_peers(work: Work, terms: Terms) -> Iterator[Row]:
    """Ours, every peer and, for a meta-step on the CPU, the limit, all in the same rounds."""
    limits = (SMALL_GEMM, LARGE_GEMM) if work.kind == "meta-step" and work.device == "cpu" else ()
    sides = {OURS: (OURS, work)} | {peer: (peer, work) for peer in work.peers}
    measured = measure(sides | {limit.name: (LIMIT, limit) for limit in limits}, terms)
    peers = {peer: measured[peer] for peer in work.peers}
    yield from against_peers(work, measured[OURS], peers, measured)


def beside_itself(work: Work, terms: Terms) -> Iterator[Row]:
    """Ours with more and more tasks."""
    sides = {str(tasks): (OURS, replace(work, tasks=tasks)) for tasks in SWEEP}
    yield from over_tasks(work, {int(tasks): found for tasks, found in measure(sides, terms).items()})


def rows(only: str, terms: Terms) -> Iterator[Row]:
    for work in WORKS:
        if re.search(only, work.name):
            yield from beside_peers(work, terms)
    for work in SWEPT:
        if re.search(only, f"{work.name}, tasks"):
            yield from beside_itself(work, terms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a row")
    form.add_argument("--markdown", action="store_true", help="the table of docs/performance.md")
    parser.add_argument("--only", default="", help="a regular expression that the names of works must match")
    parser.add_argument("--threads", type=int, default=2, help="threads of every side")
    parser.add_argument("--reps", type=int, default=5, help="turns of which the median is taken")
    parser.add_argument(
        "--peers-python",
        default=sys.executable,
        help="the interpreter that has the libraries",
    )
    asked = parser.parse_args()
    show = Row.as_json if asked.json else Row.as_markdown if asked.markdown else Row.as_line
    terms = Terms(asked.threads, asked.reps, asked.peers_python)
    if not asked.json:
        print(described(terms), end="\n\n")
    if asked.markdown:
        print(HEADER)
    for row in rows(asked.only, terms):
        print(show(row), flush=True)


if __name__ == "__main__":
    main()
