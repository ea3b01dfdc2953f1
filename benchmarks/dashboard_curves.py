"""Learning curves of many long runs: what the server takes and sends, from the store to the message.

Run: `python benchmarks/dashboard_curves.py [--json] [--full]`. Rows: work, value, unit, target, met.
Without `--full` the runs have fewer steps, and tabs are refreshed fewer times; the targets stay. Timed is
what one rerun does, from the store to the message: curves, figure, and what the browser lacks of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalm.dashboard import curve_data, palette
from metalm.dashboard.charts.curves import learning_curves
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.components import figure_parts
from metalm.store.metrics import COUNTS, Point
from metalm.store.store import Store

RUNS = 50
VIEW = CurveView()


@dataclass(frozen=True)
class Size:
    """How much is done: steps of long and of very long runs, refreshes of a chart."""

    steps: int
    many_steps: int
    refreshes: int


SMALL, FULL = Size(20_000, 50_000, 60), Size(20_000, 1_000_000, 15_000)


class Reader:
    """Looks at the curves of all runs as a page does, and has what its browser has."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = run_ids()
        self._styles = palette.run_styles({run: run for run in self._ids})
        self._sent: figure_parts.Sent | None = None

    def look(self, within: tuple[float, float] | None = None) -> tuple[float, int]:
        """Seconds of a rerun, and the bytes that it sends."""
        begin = time.perf_counter()
        curve = curve_data.gather(self._store.metrics, self._ids, ["query"], VIEW.x, within=within)
        figure = learning_curves(curve, self._styles, VIEW)
        self._sent = figure_parts.message(json.loads(figure.to_json()), self._sent)
        num_bytes = len(json.dumps(self._sent.message))
        return time.perf_counter() - begin, num_bytes


def run_ids() -> list[str]:
    return [f"{number:012x}" for number in range(RUNS)]


def fill(store: Store, steps: int) -> None:
    """Losses that fall, one task a report."""
    for number, run in enumerate(run_ids()):
        nats = fall(number, np.arange(1, steps + 1), steps)
        for begin in range(0, steps, 25_000):
            store.metrics.add(run, points(begin + 1, nats[begin : begin + 25_000]))
            store.flush()


def fall(seed: int, steps: np.ndarray, span: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 64 * (2 + 3 * np.exp(-5 * steps / span) + rng.exponential(0.2, len(steps)))


def points(first: int, nats: np.ndarray) -> Iterator[Point]:
    for step, loss in enumerate(nats.tolist(), start=first):
        for name, value in zip(COUNTS, (loss, 64.0, 64.0, 60.0), strict=True):
            yield Point(step, 1000 * step, step / 10, f"query_{name}", "task", 0, value)


def long_runs(folder: Path, size: Size) -> Iterator[dict[str, object]]:
    store = Store(folder / "long.duckdb")
    fill(store, size.steps)
    work = f"{RUNS} runs x {size.steps:,} points"
    Reader(store).look()  # the first reader ever brings the coarse levels up to date
    firsts = [Reader(store).look() for _ in range(3)]
    yield row(f"{work}, first draw", statistics.median(s for s, _ in firsts), "s", 0.5)
    yield row(f"{work}, sent first", firsts[0][1] / 1000, "kB", 600)
    reader = Reader(store)
    reader.look()
    zooms = [reader.look((0.1 * at * size.steps, (0.1 * at + 0.05) * size.steps)) for at in range(1, 6)]
    yield row(f"{work}, zoom", statistics.median(s for s, _ in zooms), "s", 0.4)
    yield row(f"{work}, sent at a zoom", statistics.median(n for _, n in zooms) / 1000, "kB", 600)
    reader.look()
    live = []
    for step in range(size.steps + 1, size.steps + 8):
        for number, run in enumerate(run_ids()):
            store.metrics.add(run, points(step, fall(number + step, np.array([step]), size.steps)))
        store.flush()
        live.append(reader.look())
    yield row(f"{work}, live refresh", statistics.median(s for s, _ in live), "s", 0.3)
    yield row(f"{work}, sent at a refresh", statistics.median(n for _, n in live) / 1000, "kB", 50)
    yield from memory(reader, store, size)
    store.close()


def memory(reader: Reader, store: Store, size: Size) -> Iterator[dict[str, object]]:
    """Three tabs, refreshed in turn while a run goes on: growth after the first tenth of the refreshes."""
    readers = [reader, Reader(store), Reader(store)]
    begun = 0
    for count in range(size.refreshes):
        step = size.steps + 10 + count
        store.metrics.add(run_ids()[0], points(step, fall(step, np.array([step]), size.steps)))
        readers[count % 3].look()
        if count == size.refreshes // 10:
            begun = resident()
    work = f"3 tabs, {size.refreshes:,} refreshes together, growth of the server's memory"
    yield row(work, 100 * (resident() / begun - 1), "%", 10)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def very_long_runs(folder: Path, size: Size) -> Iterator[dict[str, object]]:
    store = Store(folder / "very-long.duckdb")
    fill(store, size.many_steps)
    reader = Reader(store)
    begin = time.perf_counter()
    reader.look()
    work = f"{RUNS} runs x {size.many_steps:,} points"
    yield row(
        f"{work}, first reader ever (brings coarse levels up to date)", time.perf_counter() - begin, "s", None
    )
    yield row(f"{work}, first draw", statistics.median(Reader(store).look()[0] for _ in range(3)), "s", 2.0)
    zoomed = reader.look((0.5 * size.many_steps, 0.52 * size.many_steps))[0]
    yield row(f"{work}, zoom", zoomed, "s", 2.0)
    store.close()


def row(work: str, value: float, unit: str, target: float | None) -> dict[str, object]:
    met = None if target is None else value <= target
    return {"work": work, "value": round(value, 3), "unit": unit, "target": target, "met": met}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--full", action="store_true", help="a million points a run, 5,000 refreshes a tab")
    arguments = parser.parse_args()
    size = FULL if arguments.full else SMALL
    with tempfile.TemporaryDirectory() as folder:
        for measure in (long_runs, very_long_runs):
            for measured in measure(Path(folder), size):
                print(json.dumps(measured) if arguments.json else told(measured), flush=True)


def told(row: dict[str, object]) -> str:
    verdict = {True: "met", False: "MISSED", None: "no target"}[row["met"]]
    return f"{row['work']}: {row['value']} {row['unit']} (target {row['target']}, {verdict})"


if __name__ == "__main__":
    main()
