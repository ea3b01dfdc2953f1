"""The rows of a study's evaluations, and the tables that its report makes of them.

A **series** is what tables compare: a planned run's own, which its seeds share. Means and intervals are those
of `metalm.evaluate.statistics`: over tasks, with seeds and support draws pooled within each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from metalm.config import OWN, methods_of
from metalm.evaluate import statistics

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.store.runs import Run
    from metalm.studies.plan import Asked

BITS = "bits per byte"
LOW, HIGH = "95 % from", "95 % to"


def rows_of(
    home: Home, asked: Sequence[Asked], runs: Mapping[str, Run], series: Mapping[str, str]
) -> pd.DataFrame:
    """Every row that was asked for, and no other that the same runs may have in the store.

    runs, series: by key. Columns of `evaluations`, with asked (the name of what was asked for), key (of the
    run, "" for a baseline without one) and series. A run's other methods than its own adaptation have a
    series of their own: `meta: head only`; a baseline without a run is called by its method.
    """
    frames = [_rows(home, each, runs, series) for each in asked]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _rows(home: Home, asked: Asked, runs: Mapping[str, Run], series: Mapping[str, str]) -> pd.DataFrame:
    keys, met = {run.id: key for key, run in runs.items()}, [runs[key] for key in asked.keys]
    frame = home.evaluations([run.id for run in runs.values()], role=asked.role)
    frame = frame[
        frame["support_bytes"].isin(asked.support)
        & (frame["draw"] < asked.draws)
        & frame["method"].isin(methods_of(asked.methods))
        & frame["split_id"].isin({run.split_id for run in met})
    ]
    frame = statistics.newest(frame[_as_asked(frame, asked, {run.id: run for run in met})])
    key = frame["run_id"].map(keys).fillna("")
    own = key.map(series)
    named = (own + ": " + frame["method"]).where(key != "", frame["method"])
    return frame.assign(
        asked=asked.name, key=key, series=own.where(frame["method"].isin(OWN), named)
    ).reset_index(drop=True)


def _as_asked(frame: pd.DataFrame, asked: Asked, met: Mapping[str, Run]) -> list[bool]:
    """Of each row: it is none of a run's own adaptation by other steps or of another run."""
    wanted = {run_id: adaptation(run, asked.steps) for run_id, run in met.items()}
    return [
        method not in OWN or json.loads(text) == wanted.get(run_id)
        for method, text, run_id in zip(frame["method"], frame["adaptation"], frame["run_id"], strict=True)
    ]


def tuned_bits(run: Run) -> float:
    """Bits per byte on meta-validation after a run's adaptation as it was tuned; infinite without any."""
    return math.inf if run.tuned_value is None else run.tuned_value


def adaptation(run: Run, steps: int | None = None) -> dict[str, Any]:
    """How a finished run adapts, as its rows tell it: as it was tuned, or for so many steps."""
    from metalm.evaluate.contenders import as_told  # torch comes with it, and takes seconds
    from metalm.learn.tuning import Adaptation

    assert run.adaptation is not None, "a finished run has been tuned"
    tuned = Adaptation.from_json(run.adaptation)
    return as_told(tuned.inner, tuned.lengths) if steps is None else as_told(tuned.inner_for(steps), {})


# ---- tables ----


def means(rows: pd.DataFrame, *, at_last: bool = True) -> pd.DataFrame:
    """Means over the tasks that all series have: series, support_bytes, adaptation_step, tasks, mean, low,
    high, median.

    at_last: after each series' last step only; else one line a step.
    """
    tasks = statistics.by_task(rows)
    return statistics.summary(statistics.balanced(statistics.at_last_step(tasks) if at_last else tasks))


def differences(rows: pd.DataFrame, control: str, series: str) -> pd.DataFrame:
    """`series` minus `control` after the last step, a line a support size: see `statistics.Difference`.

    Over the tasks that both have at every size.
    """
    both = rows[rows["series"].isin([control, series])]
    tasks = statistics.balanced(statistics.at_last_step(statistics.by_task(both)))
    return pd.DataFrame([asdict(each) for each in statistics.paired(tasks, control, series)])


def means_table(table: pd.DataFrame) -> pd.DataFrame:
    """`means` as people read them."""
    return table.rename(
        columns={
            "support_bytes": "support bytes",
            "adaptation_step": "steps",
            "mean": BITS,
            "low": LOW,
            "high": HIGH,
        }
    )


def differences_table(table: pd.DataFrame) -> pd.DataFrame:
    """`differences` as people read them; relative in per cent."""
    shown = pd.DataFrame(
        {
            "series": table["right"],
            "compared with": table["left"],
            "support bytes": table["support_bytes"],
            "tasks": table["tasks"],
            "difference": table["mean"],
            LOW: table["low"],
            HIGH: table["high"],
            "relative %": 100 * table["relative"],
            "effect size": table["effect_size"],
            "wins": table["wins"],
            "ties": table["ties"],
            "losses": table["losses"],
        }
    )
    return shown.reset_index(drop=True)


def tasks_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Bits per byte of each task after the last step: a line a (task, support size), a column a series."""
    last = statistics.at_last_step(statistics.by_task(rows))
    names = rows.drop_duplicates("task_id").set_index("task_id")["task"]
    wide = last.assign(task=last["task_id"].map(names)).pivot(
        index=["task", "support_bytes"], columns="series", values="value"
    )
    return wide.reset_index().rename(columns={"support_bytes": "support bytes"}).rename_axis(columns=None)


def verdict(difference: Mapping[str, Any]) -> str:
    """What a line of `differences` says: better, worse, or that the interval holds zero."""
    low, high = difference["low"], difference["high"]
    if high < 0:
        return "better"
    return "worse" if low > 0 else "no clear difference"
