"""Lines over an x axis, as fine as asked within a range of it.

x is `step`, `tokens`, `wall_seconds`, or any scalar of the run, above all `gradient_evaluations` and `flops`,
what it had spent by then. A run without that scalar has no curve over it; a report between two of its values
is put between them.

A zoom needs the whole curve too, for what stands beside the range and for the steps that it spans. It is kept
until anything is written, so that the next zoom reads the range alone.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from metalm.store.database import Database
from metalm.store.lines import Family, Lines, Span

Axis = str  # step, tokens, wall_seconds, or a scalar
Within = tuple[float, float]  # a range of x
MAX_POINTS = 500
_KEPT, _KEPT_POINTS = 8, 25_000  # curves that are kept, and how many points each has at most
_COLUMN_OF = {"step": "step", "tokens": "trained", "wall_seconds": "wall_seconds"}  # x -> of a line


class Curves:
    """Reads lines with their x."""

    def __init__(self, database: Database, lines: Lines) -> None:
        self._database = database
        self._lines = lines
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[int, pd.DataFrame]] = {}  # whole curves, with the writes before them

    def read(
        self, run_ids: Collection[str], family: Family, x: Axis, points: int, within: Within | None
    ) -> pd.DataFrame:
        """The points of lines over x; those within a range of it are as many again as the whole has."""
        curve = self._whole(run_ids, family, x, points)
        if within is None:
            return curve
        spans = _spans(curve, within)
        if not spans:
            return curve
        detail = self._over(self._lines.read(run_ids, family, points, spans), x, points, spans)
        begin, end = (curve["run"].map({run: span[i] for run, span in spans.items()}) for i in (0, 1))
        kept = curve[~((curve["first_step"] >= begin) & (curve["step"] <= end))]
        # A line's dropped reports are those of the whole, wherever its points come from.
        dropped = curve.groupby("run")["dropped"].max()
        detail = detail.assign(dropped=detail["run"].map(dropped))
        line = ["run", "name", "task_id", "adaptation_step"] if family.weights else ["run", "name", "task_id"]
        return pd.concat([kept, detail]).sort_values([*line, "step"], kind="stable", ignore_index=True)

    def _whole(self, run_ids: Collection[str], family: Family, x: Axis, points: int) -> pd.DataFrame:
        """The points over all of x, read once while nothing is written."""
        asked, writes = (tuple(run_ids), family, x, points), self._database.num_writes
        with self._lock:
            known = self._kept.pop(asked, None)
            if known is not None and known[0] == writes:
                self._kept[asked] = known  # the last to be forgotten
                return known[1].copy()
        curve = self._over(self._lines.read(run_ids, family, points), x, points)
        if len(curve) <= _KEPT_POINTS:
            with self._lock:
                self._kept[asked] = writes, curve.copy()
                while len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]
        return curve

    def _over(
        self, curve: pd.DataFrame, x: Axis, points: int, spans: Mapping[str, Span] | None = None
    ) -> pd.DataFrame:
        """The points with their x, those that have one."""
        if x in _COLUMN_OF:
            places = curve[_COLUMN_OF[x]].to_numpy()
        else:
            lines = self._lines.read(curve["run"].unique(), Family(root=x), points, spans)
            places = _interpolated(curve, lines)
        curve.insert(1, "x", places)
        return curve[curve["x"].notna()].drop(columns=["trained", "wall_seconds"]).reset_index(drop=True)

    def reports(self, run_ids: Collection[str], family: Family, x: Axis, within: Within | None) -> pa.Table:
        """Every report of losses, or of their points that reach into a range of x: see `Lines.reports`."""
        if within is None:
            return self._lines.reports(run_ids, family)
        return self._lines.reports(
            run_ids, family, _spans(self.read(run_ids, family, x, MAX_POINTS, None), within, also_whole=True)
        )


def _spans(curve: pd.DataFrame, within: Within, *, also_whole: bool = False) -> dict[str, Span]:
    """Run id -> the first and last step of its points that reach into a range of x, if any hides reports.

    also_whole: also where none does.
    """
    if curve.empty:
        return {}
    low, high = within
    points = curve.sort_values(["run", "step"], kind="stable")
    runs, x = points["run"].to_numpy(), points["x"].to_numpy(float)
    is_first = np.append(True, runs[1:] != runs[:-1])[: len(x)]
    begins, is_behind = np.flatnonzero(is_first), x > high
    chosen = (x >= low) & ~is_behind
    # A point stands at the end of its bucket: the one behind the range begins in it, where x only rises.
    falls = np.append(False, x[1:] < x[:-1])[: len(x)] & ~is_first
    for begin, end in zip(begins, np.append(begins[1:], len(x)), strict=True):
        if x[begin] < high and is_behind[end - 1] and not falls[begin:end].any():
            chosen[begin + np.argmax(is_behind[begin:end])] = True
    found = points[chosen].groupby("run").agg({"first_step": "min", "step": "max", "reports": "max"})
    if not also_whole:
        found = found[found["reports"] > 1]
    return {run: (first, last) for run, first, last in found[["first_step", "step"]].itertuples()}


def _interpolated(curve: pd.DataFrame, lines: pd.DataFrame) -> np.ndarray:
    """For each point the scalar `lines` at its step; NaN where the run has none at or around it."""
    places = np.full(len(curve), np.nan)
    for run, line in lines.groupby("run"):
        own = (curve["run"] == run).to_numpy()
        values = line["nats"].to_numpy(float) / line["bytes"].to_numpy(float)
        steps = curve.loc[own, "step"].to_numpy(float)
        places[own] = np.interp(steps, line["step"].to_numpy(float), values, left=np.nan, right=np.nan)
    return places
