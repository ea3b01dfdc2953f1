"""What the data study found: tables and curves over each amount of data, and where the gain ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from metalm.evaluate import statistics
from metalm.studies import evidence
from metalm.studies.figures import Line, lines
from metalm.studies.pretrained import META, TWIN, told_split
from metalm.studies.report import Figure, Report, Section, Table
from metalm.studies.scaling import EXPONENTS, Curve, fitted

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.studies.data import Data

SUPPORT = "support bytes"


def made(home: Home, study: Data, rows: pd.DataFrame, places: Mapping[str, Mapping[str, float]]) -> Report:
    """The report. places: of each amount of data by its label, where it stands on which axis."""
    means, gains = _at_points(rows, list(places))
    axes = list(dict.fromkeys(axis for sweeps in places.values() for axis in sweeps))
    sections = []
    for axis in axes:
        at = {label: sweeps[axis] for label, sweeps in places.items() if axis in sweeps}
        if len(at) > 1:
            sections.append(_sweep(rows, means, gains, axis, at))
    return Report(
        title=study.question,
        findings=(*_where_it_ends(gains), *_from_how_much(gains, places, axes)),
        sections=(
            _support(home, study, means, gains),
            *sections,
            Section(title="Every amount of data", parts=(_table(gains, places),)),
        ),
    )


def _at_points(rows: pd.DataFrame, labels: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`means` and `differences` of each amount of data, with its label in the column `point`."""
    means, gains = [], []
    for label in labels:
        names = {f"{label}, {name}": name for name in (META, TWIN)}
        own = rows[rows["series"].isin(names)]
        own = own.assign(series=own["series"].map(names))
        means.append(evidence.means(own).assign(point=label))
        gains.append(evidence.differences(own, TWIN, META).assign(point=label))
    return pd.concat(means, ignore_index=True), pd.concat(gains, ignore_index=True)


def _support(home: Home, study: Data, means: pd.DataFrame, gains: pd.DataFrame) -> Section:
    """Over support bytes, with all the data."""
    full = means[(means["point"] == "all") & (means["support_bytes"] > 0)]
    drawn = [
        Line(name=series, points=group.rename(columns={"support_bytes": "x", "mean": "y"}))
        for series, group in full.groupby("series")
    ]
    caption = "After adaptation, with all meta-train tasks. The band is the 95 % interval over tasks."
    return Section(
        title="Support bytes",
        parts=(
            f"{told_split(home, study.split, study.role)} Every run of a kind is trained for as many tokens, "
            f"whatever the data; {TWIN} is the control of {META}: joint training from the same start, for as "
            "much compute, then fine-tuned with rate and steps that are tuned in the same way.",
            lines("support", drawn, x=SUPPORT, y=evidence.BITS, caption=caption, log_x=True),
            Table.of(
                f"Bits per byte, {META} minus {TWIN}, paired over tasks, with 95 % intervals.",
                evidence.differences_table(gains[gains["point"] == "all"]),
            ),
        ),
    )


def _sweep(
    rows: pd.DataFrame, means: pd.DataFrame, gains: pd.DataFrame, axis: str, at: Mapping[str, float]
) -> Section:
    parts: list[Figure | Table] = []
    fits = []
    for size in sorted(means["support_bytes"].unique()):
        curves = {name: _curve(rows, name, size, at) for name in (META, TWIN)}
        fits += [_fit_line(name, size, curve, len(at)) for name, curve in curves.items() if curve]
        parts.append(_drawn(means, axis, at, size, curves))
    if fits:
        caption = (
            f"Bits per byte = floor + scale * n ^ -exponent, n the {axis}, by least squares; intervals by "
            "drawing the tasks again. Three points cannot put such a curve to the test; an exponent "
            f"of {EXPONENTS[0]:g} or {EXPONENTS[1]:g} lies at the end of what was tried."
        )
        parts.append(Table.of(caption, pd.DataFrame(fits)))
    own = gains[gains["point"].isin(at)]
    shown = evidence.differences_table(own)
    shown.insert(0, axis, own["point"].map(at).tolist())
    caption = f"{META} minus {TWIN} in bits per byte: below zero meta-training needs fewer."
    parts.append(Table.of(caption.capitalize(), shown.drop(columns=["series", "compared with"])))
    return Section(title=axis.capitalize(), parts=tuple(parts))


def _curve(rows: pd.DataFrame, name: str, size: int, at: Mapping[str, float]) -> Curve | None:
    """The scaling curve of a series at one support size, over the tasks that all its points have."""
    values = {}
    for label, n in at.items():
        own = rows[(rows["series"] == f"{label}, {name}") & (rows["support_bytes"] == size)]
        last = statistics.at_last_step(statistics.by_task(own))
        values[n] = last.set_index("task_id")["value"]
    wide = pd.DataFrame(values).dropna().sort_index(axis=1).sort_index()
    return fitted(wide.columns.to_numpy(dtype=float), wide.to_numpy()) if len(wide) > 1 else None


def _fit_line(name: str, size: int, curve: Curve, points: int) -> dict[str, object]:
    return {
        "series": name,
        SUPPORT: size,
        "points": points,
        "floor": curve.floor,
        "floor, 95 % from": curve.floor_interval[0],
        "floor, to": curve.floor_interval[1],
        "scale": curve.scale,
        "exponent": curve.exponent,
        "exponent, 95 % from": curve.exponent_interval[0],
        "exponent, to": curve.exponent_interval[1],
    }


def _drawn(
    means: pd.DataFrame, axis: str, at: Mapping[str, float], size: int, curves: Mapping[str, Curve | None]
) -> Figure:
    own = means[means["point"].isin(at) & (means["support_bytes"] == size)]
    own = own.assign(x=own["point"].map(at), y=own["mean"])
    n = np.geomspace(own["x"].min(), own["x"].max(), 60)
    drawn = []
    for name, group in own.groupby("series"):
        drawn.append(Line(name=name, points=group))
        if (curve := curves[name]) is not None:
            points = pd.DataFrame({"x": n, "y": curve.at(n)})
            drawn.append(Line(name=f"{name}, fitted", points=points, is_fitted=True))
    return lines(
        f"{axis.replace(' ', '-')}-{size}",
        drawn,
        x=axis,
        y=evidence.BITS,
        caption=f"After adaptation on {size:,} support bytes. The band is the 95 % interval over tasks.",
        log_x=True,
    )


def _where_it_ends(gains: pd.DataFrame) -> list[str]:
    """With all the data: up to which support size the interval of the gain lies beyond zero."""
    full = gains[gains["point"] == "all"].sort_values("support_bytes").to_dict("records")
    better = [line["support_bytes"] for line in full if evidence.verdict(line) == "better"]
    if not better:
        return [f"With all meta-train tasks there is no clear gain over {TWIN} at any support size."]
    beyond = [line["support_bytes"] for line in full if line["support_bytes"] > better[-1]]
    best = min(full, key=lambda line: line["relative"])
    told = f"the largest is {-100 * best['relative']:.1f} % at {best['support_bytes']:,} support bytes"
    if beyond:
        return [f"The gain over {TWIN} ends between {better[-1]:,} and {beyond[0]:,} support bytes; {told}."]
    return [
        f"There is a gain over {TWIN} up to the largest support size tried, {better[-1]:,} bytes; {told}."
    ]


def _from_how_much(
    gains: pd.DataFrame, places: Mapping[str, Mapping[str, float]], axes: Sequence[str]
) -> list[str]:
    """Of each axis and support size: from which amount of data on there is a gain at every amount."""
    found = []
    for axis in axes:
        at = {label: sweeps[axis] for label, sweeps in places.items() if axis in sweeps}
        for size, group in gains[gains["point"].isin(at)].groupby("support_bytes"):
            ordered = group.assign(n=group["point"].map(at)).sort_values("n").to_dict("records")
            start = None
            for line in reversed(ordered):
                if evidence.verdict(line) != "better":
                    break
                start = line["n"]
            told = (
                "there is no clear gain" if start is None else f"there is a clear gain from {start:,.0f} on"
            )
            found.append(f"Over {axis}, at {size:,} support bytes: {told}.")
    return found


def _table(gains: pd.DataFrame, places: Mapping[str, Mapping[str, float]]) -> Table:
    shown = evidence.differences_table(gains).drop(columns=["series", "compared with"])
    shown.insert(0, "data", gains["point"].tolist())
    for place, axis in enumerate(dict.fromkeys(a for sweeps in places.values() for a in sweeps)):
        values = [places[label].get(axis, places["all"][axis]) for label in gains["point"]]
        shown.insert(1 + place, axis, values)
    shown["verdict"] = [evidence.verdict(line) for line in gains.to_dict("records")]
    return Table.of(f"{META.capitalize()} minus {TWIN}, bits per byte.", shown)
