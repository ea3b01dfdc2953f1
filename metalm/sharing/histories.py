"""A run as other trackers see it: parameters, scalars over steps, results; and such a history as a run.

A loss goes out twice: in bits per byte, to be looked at, and as its sums (`validation/nats`,
`validation/bytes` ...), of which the curve is made again when it comes back. A run that comes in has the
status `imported`: it has curves, no weights.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from metalm import units
from metalm.config import OWN
from metalm.errors import ConfigError
from metalm.evaluate import statistics
from metalm.home.samples import SAMPLE_TAG
from metalm.home.versions import versions
from metalm.store.metrics import COUNTS, Point
from metalm.store.runs import Run
from metalm.store.values import free_name, new_id, now

if TYPE_CHECKING:
    from metalm.home import Home

PARTS = ("support", "query", "validation")
BITS = "bits_per_byte"
_ALL = 1 << 52  # more points than any line has
# What of a run a tracker is told beside its curves; `seen` and the like are long, and about this home.
_TOLD = (
    *("name", "algorithm", "seed", "split_id", "config", "device", "code_version", "tags", "notes"),
    *("adaptation", "tokens"),
)


class Scalar(NamedTuple):
    """One number of a history. seconds: since it began."""

    name: str
    step: int
    seconds: float
    value: float


@dataclass(frozen=True, kw_only=True)
class History:
    """What a tracker keeps of one run.

    params: settings by dotted keys. results: numbers without a step. told: what metalm knew of the run, for
    metalm alone; {} for a run of another program.
    """

    name: str
    began: datetime
    params: Mapping[str, Any]
    scalars: Sequence[Scalar]
    results: Mapping[str, float]
    told: Mapping[str, Any]


# ---- out ----


def history_of(home: Home, ref: str) -> History:
    """Every point of a run, losses summed over tasks, and the means of its evaluations."""
    run = home.run(ref)
    home.store.flush()
    told = {name: value for name, value in asdict(run).items() if name in _TOLD}
    return History(
        name=run.name,
        began=run.started_at or run.created_at,
        params={**flat(run.config), "algorithm": run.algorithm, "split": run.split_id},
        scalars=[*_losses(home, run.id), *_measures(home, run.id)],
        results=_results(home, run),
        told={**told, "tags": list(run.tags), "versions": versions()},
    )


def _losses(home: Home, run_id: str) -> list[Scalar]:
    scalars = []
    for part in PARTS:
        seconds = home.store.metrics.curve([run_id], part, x="wall_seconds", points=_ALL)
        for line in seconds.to_dict("records"):
            place = int(line["step"]), float(line["x"])
            scalars += [Scalar(f"{part}/{count}", *place, float(line[count])) for count in COUNTS]
            if line["bytes"]:
                bits = units.bits_per_byte(line["nats"], line["bytes"])
                scalars.append(Scalar(f"{part}/{BITS}", *place, bits))
    return scalars


def _measures(home: Home, run_id: str) -> list[Scalar]:
    """Scalars about no single task; those of adaptation steps have the step in their name."""
    scalars = []
    losses = {f"{part}_{count}" for part in PARTS for count in COUNTS}
    for step, _, seconds, name, task, inner, value in zip(
        *home.store.metrics.table(run_id).to_pydict().values(), strict=True
    ):
        if task is None and name not in losses:
            label = name if inner is None else f"{name}/step {inner + 1}"
            scalars.append(Scalar(label, step, seconds, value))
    return scalars


def _results(home: Home, run: Run) -> dict[str, float]:
    """Mean bits per byte over tasks before and after the run's own adaptation, by role and support size."""
    rows = home.evaluations([run.id])
    rows = rows[(rows["run_id"] == run.id) & rows["method"].isin(OWN) & ~rows["seen"]]
    results = {}
    for role, here in rows[rows["split_id"] == run.split_id].groupby("role"):
        table = statistics.before_after(statistics.by_task(here.assign(series=run.name)))
        for size, tasks in table.groupby("support_bytes"):
            for end in ("before", "after"):
                if math.isfinite(mean := tasks[end].mean()):
                    results[f"{role}/{size} bytes/{BITS} {end}"] = float(mean)
    return results


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by dotted keys."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{above}{name}"
        found |= flat(value, f"{key}.") if isinstance(value, Mapping) else {key: value}
    return found


# ---- in ----


def take_in(home: Home, history: History, source: str, losses: Mapping[str, str]) -> Run:
    """Adds a history as a run; a name that is taken gets "-2", "-3" ...

    source: the tracker. losses: part (query, validation ...) -> the scalar that is its loss in nats per
    token, so that it stands among the curves. Raises ConfigError as `check`.
    """
    check(history, losses)
    points = _points(history.scalars, losses)
    run = _run(history, source, max(point.step for point in points), {n for _, n in home.store.runs.names()})
    home.store.runs.add(run)
    home.store.metrics.add(run.id, points)
    home.store.flush()
    home.store.events.add("imported", run.id, f"from {source}, with {len(points)} points")
    return home.store.runs.get(run.id)


def check(history: History, losses: Mapping[str, str]) -> None:
    """Raises ConfigError unless `take_in` can take it."""
    if not history.scalars:
        raise ConfigError(f"{history.name!r} must have a scalar to be imported, it has none")
    names = {scalar.name for scalar in history.scalars}
    for part, name in losses.items():
        if name not in names:
            known = ", ".join(sorted(names)[:5])
            raise ConfigError(
                f"{part} must be a scalar of {history.name!r}, got {name!r}; it has {known} ..."
            )


def _run(history: History, source: str, step: int, taken: set[str]) -> Run:
    told = history.told
    params = {key: value for key, value in history.params.items() if value is not None}
    foreign = {
        "imported": {"from": source, "run": history.name, **params},
        # What readers of curves look up in any run.
        "tokenizer": {"kind": "unknown"},
        "validation": {"support_bytes": 0},
    }
    run = Run(
        id=new_id(),
        name=free_name(told.get("name", history.name), taken),
        status="imported",
        algorithm=told.get("algorithm", source),
        split_id=told.get("split_id", ""),
        seed=told.get("seed", 0),
        config=told.get("config", foreign),
        device=told.get("device", ""),
        code_version=told.get("code_version", ""),
        tags=tuple(dict.fromkeys(tag for tag in (*told.get("tags", ()), source) if tag != SAMPLE_TAG)),
        notes=told.get("notes") or _notes(history, source),
        adaptation=told.get("adaptation"),
        created_at=now(),
        started_at=history.began,
        step=step,
        tokens=told.get("tokens", 0),
        progress=1.0,
    )
    seconds = max(scalar.seconds for scalar in history.scalars)
    return replace(run, seconds=max(seconds, 0.0))


def _notes(history: History, source: str) -> str:
    """What the other program was told, for readers."""
    rows = [f"| {_cell(key)} | {_cell(value)} |" for key, value in history.params.items()]
    head = [f"Imported from {source}.", "", "| parameter | value |", "|---|---|"] if rows else []
    return "\n".join([*head, *rows]) or f"Imported from {source}."


def _cell(value: Any) -> str:
    """As plain text: an image in another program's parameters would be fetched from outside."""
    text = str(value).replace("\n", " ")[:200]
    return re.sub(r"([\\`*_{}\[\]()#+!|~$:<>])", r"\\\1", text)


def _points(scalars: Sequence[Scalar], losses: Mapping[str, str]) -> list[Point]:
    """Losses under metalm's own names. Bits per byte follow from the sums, and stay out where those are."""
    sums = {f"{part}/{count}": f"{part}_{count}" for part in PARTS for count in COUNTS}
    derived = {f"{part}/{BITS}" for part in PARTS}
    parts = {name: part for part, name in losses.items()}
    is_whole = any(scalar.name in sums for scalar in scalars)
    points = []
    for name, step, seconds, value in scalars:
        if name in parts:
            # Of one token each; how many bytes it was is not known, so that there are no bits per byte.
            counts = {"nats": value, "tokens": 1.0, "bytes": 0.0, "chars": 0.0}
            for count, number in counts.items():
                points.append(Point(step, 0, seconds, f"{parts[name]}_{count}", "", 0, number))
        elif name in sums:
            points.append(Point(step, 0, seconds, sums[name], "", 0, value))
        elif not (is_whole and name in derived):
            points.append(Point(step, 0, seconds, name, None, None, value))
    return points


def seconds_since(began: datetime, moment: float) -> float:
    """Seconds from `began` to a time in seconds since 1970."""
    return max(moment - began.timestamp(), 0.0)


def moment_of(seconds: float) -> datetime:
    """A time in seconds since 1970 as one that metalm takes."""
    return datetime.fromtimestamp(seconds, UTC)


def told_in(text: str | None) -> dict[str, Any]:
    """What metalm wrote beside a history; {} where it did not, or where it is damaged."""
    try:
        told = json.loads(text) if text else {}
    except ValueError:
        return {}
    return told if isinstance(told, dict) and isinstance(told.get("config"), dict) else {}
