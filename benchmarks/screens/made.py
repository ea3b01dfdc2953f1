"""Homes made for a measurement: many runs, or long ones. No training takes place."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from metalm.config import ALGORITHMS, RunConfig
from metalm.home import Home
from metalm.home.home import STORE_FILE
from metalm.store.metrics import COUNTS, Point
from metalm.store.runs import Run
from metalm.store.values import new_id, now

TAG = "made"
SEEDS = 5
VALIDATED_EVERY, MEASURED_EVERY = 200, 10
TOKENS = BYTES = 64.0
CHARS = 60.0

# Run id, part.
_REPORTS = """
INSERT INTO metrics
SELECT ?, step, 1000 * step, step / 10, ? || '_' || unnest(['nats', 'tokens', 'bytes', 'chars']), 'task', 0,
    unnest([nats, 64.0, 64.0, 60.0])
FROM reports
"""
# Run id.
_SCALARS = """
INSERT INTO metrics
SELECT ?, step, 1000 * step, step / 10,
    unnest(['lr', 'gradient_norm', 'tokens_per_second', 'gradient_evaluations', 'flops']), NULL, NULL,
    unnest([0.1, nats, 10000.0, 1000.0 * step, 1e9 * step])
FROM reports
"""


def many_runs(path: Path, num: int, keys: int) -> list[Run]:
    """A home with `num` tuned runs of a shipped split, each with a config of so many keys; these runs."""
    rng = random.Random(0)
    with Home.open(path) as home:
        split = home.splits()[0]
        runs = [_run(number, split.id, keys, rng) for number in range(num)]
        home.store.runs.add(*runs)
    return runs


def _run(number: int, split_id: str, keys: int, rng: random.Random) -> Run:
    name = sorted(ALGORITHMS)[number // SEEDS % len(ALGORITHMS)]
    config = RunConfig(algorithm=ALGORITHMS[name](), seed=number % SEEDS).to_json()
    if "inner" in config["algorithm"]:
        config["algorithm"]["inner"]["lr"] = 0.001 * (1 + number // SEEDS)
    config["room"] = {f"key_{key}": key + number // SEEDS for key in range(keys - len(settings(config)))}
    best = rng.uniform(2, 4)
    points = [
        {"lr": lr, "steps": steps, "bits_per_byte": best + lr * steps} for lr in (0.1, 1) for steps in (0, 5)
    ]
    return Run(
        id=new_id(),
        name=f"{name} {number // SEEDS} seed {number % SEEDS}",
        status=rng.choice(("finished", "finished", "finished", "stopped", "failed")),
        algorithm=name,
        split_id=split_id,
        seed=number % SEEDS,
        config=config,
        tags=(TAG,),
        adaptation={"inner": {"steps": 5, "lr": 0.1}, "grid": points},
        created_at=now() - timedelta(minutes=number),
        step=rng.randrange(10_000),
        tokens=rng.randrange(10**9),
        seconds=rng.uniform(10, 10_000),
        progress=1.0,
        best_value=best + 0.1,
        seen=tuple(f"{k:064x}:0:100000" for k in range(30)),
    )


def settings(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """The keys of a config, each with the path to it."""
    flat: dict[str, object] = {}
    for name, value in config.items():
        below = value if isinstance(value, Mapping) else None
        flat |= settings(below, f"{prefix}{name}.") if below is not None else {f"{prefix}{name}": value}
    return flat


def long_runs(path: Path, num: int, points: int) -> list[str]:
    """A home with `num` runs of so many reports each, about one task, and some scalars; their names."""
    with Home.open(path) as home:
        split = home.splits()[0]
        runs = [_long(number, split.id, points) for number in range(num)]
        home.store.runs.add(*runs)
    with duckdb.connect(str(path / STORE_FILE)) as database:
        for run in runs:
            for every, insert, values in (
                (1, _REPORTS, [run.id, "query"]),
                (VALIDATED_EVERY, _REPORTS, [run.id, "validation"]),
                (MEASURED_EVERY, _SCALARS, [run.id]),
            ):
                steps = np.arange(every, points + 1, every)
                database.register("reports", pd.DataFrame({"step": steps, "nats": losses(run.seed, steps)}))
                database.execute(insert, values)
    return [run.name for run in runs]


def _long(number: int, split_id: str, points: int) -> Run:
    return Run(
        id=f"{number:012x}",
        name=f"run {number:02d}",
        status="interrupted",
        algorithm="fomaml",
        split_id=split_id,
        seed=number,
        config=RunConfig(seed=number).to_json(),
        tags=(TAG,),
        created_at=now() - timedelta(minutes=number),
        step=points,
        tokens=1000 * points,
        seconds=points / 10,
        progress=0.5,
    )


def losses(seed: int, steps: np.ndarray) -> np.ndarray:
    """Summed nats that fall, with some that are far above the others."""
    rng = np.random.default_rng((seed, int(steps[0])))
    return BYTES * (2 + 3 * (1 + steps / 500) ** -0.5 + rng.exponential(0.2, len(steps)))


def points(seed: int, step: int) -> Iterator[Point]:
    """One more report of a long run."""
    nats = losses(seed, np.array([step])).item()
    for name, value in zip(COUNTS, (nats, TOKENS, BYTES, CHARS), strict=True):
        yield Point(step, 1000 * step, step / 10, f"query_{name}", "task", 0, value)
