"""What learning curves are drawn from, what stands beside the lines, and what can be taken along.

Data only, no streamlit.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from metalm.evaluate import statistics
from metalm.store.metrics import Metrics, Within
from metalm.store.runs import Run

BASELINES = ("uniform", "unigram", "n-gram", "joint zero-shot")
_CROWD, _MANY, _FEW = 12, 500, 250
COUNTS = ["nats", "tokens", "bytes", "chars"]


def points_for(num_runs: int) -> int:
    """How many points a line has at most: fewer where many lines are sent."""
    return _MANY if num_runs <= _CROWD else _FEW


def gather(
    metrics: Metrics,
    run_ids: Sequence[str],
    parts: Sequence[str],
    x: str,
    *,
    task_id: str | None = None,
    within: Within | None = None,
) -> pd.DataFrame:
    """The curves of these parts, told apart in the column `part`; of one task, or of all together."""
    more = {"x": x, "points": points_for(len(run_ids)), "within": within}

    def read(part: str) -> pd.DataFrame:
        if task_id is None:
            curve = metrics.curve(run_ids, part, **more)
        else:
            curve = metrics.task_curve(run_ids, part, task_id=task_id, **more).drop(columns="task_id")
        return curve.assign(part=part)

    with ThreadPoolExecutor() as threads:  # the store reads on several cores only what is asked at once
        return pd.concat(threads.map(read, parts), ignore_index=True)


def lost(metrics: Metrics, curve: pd.DataFrame, task_names: Mapping[str, str]) -> pd.DataFrame:
    """Every number that is none on lines that say they dropped some: run, part, task, step, x, value."""
    holed = curve[curve["dropped"] > 0]
    if holed.empty:
        return pd.DataFrame(columns=["run", "part", "task", "step", "x", "value"])
    parts = {f"{part}_nats": part for part in holed["part"].unique()}
    rows = metrics.not_finite(holed["run"].unique(), parts)
    rows = rows.assign(part=rows["name"].map(parts))
    rows["task"] = rows["task_id"].map(lambda task: task_names.get(task, task))
    places = curve[["run", "part", "step", "x"]].sort_values("step")
    rows = pd.merge_asof(rows.sort_values("step"), places, on="step", by=["run", "part"], direction="nearest")
    return rows[["run", "part", "task", "step", "x", "value"]].dropna(subset="x")


def references(rows: pd.DataFrame, runs: Sequence[Run], task_id: str | None = None) -> pd.DataFrame:
    """Baselines on meta-validation of the split of these runs: series, support_bytes and sums over the tasks.

    rows: of `Evaluations.frame`. At the support size that is nearest to the one of the runs' meta-validation,
    before any adaptation. Empty where the runs have different splits or validate with different sizes.
    """
    places = {(run.split_id, run.config["validation"]["support_bytes"]) for run in runs}
    if len(places) > 1:
        return pd.DataFrame(columns=["series", "support_bytes", *COUNTS])
    [(split_id, asked)] = places
    here = rows[
        (rows["split_id"] == split_id)
        & (rows["role"] == "meta-validation")
        & (rows["track"] == "static")
        & rows["method"].isin(BASELINES)
        & ~rows["seen"].astype(bool)
        & (rows["adaptation_step"] == 0)
    ]
    if task_id is not None:
        here = here[here["task_id"] == task_id]
    if here.empty:
        return pd.DataFrame(columns=["series", "support_bytes", *COUNTS])
    here = statistics.newest(here)
    nearest = min(here["support_bytes"].unique(), key=lambda size: abs(size - asked))
    here = here[here["support_bytes"] == nearest]
    sums = here.groupby(["method", "support_bytes"], as_index=False)[COUNTS].sum()
    return sums.rename(columns={"method": "series"})


def told(curve: pd.DataFrame) -> str:
    """How many reports the drawn points stand for, in words."""
    num_points, num_reports = len(curve), int(curve["reports"].sum())
    dropped = int(curve.groupby(["run", "part"])["dropped"].max().sum())
    text = f"{num_points:,} of {num_points:,} reports drawn, each a point"
    if num_points < num_reports:
        text = (
            f"{num_points:,} points drawn for {num_reports:,} reports: each is the mean of its bucket, in a "
            "band from its least report to its greatest; zoom in for finer ones"
        )
    return f"{text}; {dropped:,} not a number, marked by crosses." if dropped else f"{text}."


def exported(
    metrics: Metrics,
    names: Mapping[str, str],
    parts: Sequence[str],
    kind: Literal["csv", "parquet"],
    *,
    x: str,
    task_id: str | None = None,
    within: Within | None = None,
) -> bytes:
    """Every report behind the curves of runs (id -> name), as a file: not the points that are drawn."""
    tables = []
    for part in parts:
        table = metrics.reports(list(names), part, task_id=task_id, x=x, within=within)
        run = pa.array([names[run] for run in table["run"].to_pylist()], pa.string())
        columns = {"name": run, "part": pa.array([part] * len(table), pa.string())}
        for name, column in columns.items():
            table = table.append_column(name, column)
        tables.append(table)
    file = io.BytesIO()
    write = csv.write_csv if kind == "csv" else parquet.write_table
    write(pa.concat_tables(tables), file)
    return file.getvalue()
