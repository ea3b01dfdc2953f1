"""What can be asked of a run in its table: the columns, by the names that filters and the address give them.

Four sorts: facts of the run (`status`, `bits_per_byte`), its settings (`inner.lr`, `model.hidden`: those of
`RunConfig`, without "algorithm."), a metric's last value (`metric.lr`), and the result on a role at a support
size (`meta-test@512`). Filters may say the heading of the table instead: see `named`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from metalm.config import ALGORITHMS, RunConfig
from metalm.errors import FilterError

Kind = Literal["number", "text", "words", "flag", "time"]
ROLES = ("meta-train", "meta-validation", "meta-test")
_RESULT = re.compile(rf"({'|'.join(ROLES)})@(\d{{1,12}})")
_RESULT_HEADING = re.compile(rf"({'|'.join(ROLES)}),? (\d{{1,12}}) b")
_METRIC = "metric."


@dataclass(frozen=True)
class RunField:
    """A column. sql: its value, of a row of `runs` r with its summary u, split s and parent p.

    source: a query of (run, value) that is joined in the place of {source} in `sql`, where the value is none
    of the run's own; values: what `source`, or else `sql`, wants bound.
    """

    key: str
    label: str
    kind: Kind
    sql: str
    source: str = ""
    values: tuple[Any, ...] = ()


# The best that tuning found, of the support size that it tuned for; until then its best validation: what
# `Run.tuned_value` gives.
_TUNED = """coalesce(list_min(list_transform(list_filter(
    from_json(json_extract(r.adaptation, '$.grid'), '[{"bits_per_byte":"DOUBLE","support_bytes":"BIGINT"}]'),
    lambda point: point.support_bytes IS NOT DISTINCT FROM
        CAST(json_extract_string(r.adaptation, '$.support_bytes') AS BIGINT)
), lambda point: point.bits_per_byte)), r.best_value)"""
_NETWORK = """'GRU ' || json_extract_string(r.config, '$.model.hidden') ||
    CASE WHEN CAST(json_extract_string(r.config, '$.model.layers') AS INTEGER) > 1
    THEN ' × ' || json_extract_string(r.config, '$.model.layers') ELSE '' END"""
_STARTED_FROM = "CASE WHEN r.parent IS NULL THEN '' ELSE coalesce(p.name, 'another run') END"
_TAGS = "CAST(r.tags AS VARCHAR[])"

FACTS: dict[str, RunField] = {
    field.key: field
    for field in (
        RunField("run", "run", "text", "r.name"),
        RunField("status", "status", "text", "r.status"),
        RunField("progress", "progress", "number", "100 * r.progress"),
        RunField("bits_per_byte", "bits per byte", "number", _TUNED),
        RunField("before", "before", "number", "u.bits_per_byte_before"),
        RunField("after", "after", "number", "u.bits_per_byte_after"),
        RunField("best_step", "best step", "number", "r.best_step"),
        RunField("algorithm", "algorithm", "text", "r.algorithm"),
        RunField("split", "split", "text", "coalesce(s.name, '')"),
        RunField("network", "network", "text", _NETWORK),
        RunField("seed", "seed", "number", "r.seed"),
        RunField("steps", "outer steps", "number", "r.step"),
        RunField("tokens", "tokens", "number", "r.tokens"),
        RunField("seconds", "time", "number", "r.seconds"),
        RunField("tokens_per_second", "tokens per second", "number", "u.tokens_per_second"),
        RunField("trained_on", "trained on", "text", "r.device"),
        RunField("warm_start", "warm start", "text", _STARTED_FROM),
        RunField("tags", "tags", "words", _TAGS),
        RunField("notes", "notes", "text", "r.notes"),
        RunField("error", "error", "text", "r.error"),
        RunField("archived", "archived", "flag", "r.archived"),
        RunField("created", "created", "time", "r.created_at"),
        RunField("finished", "finished", "time", "r.finished_at"),
        RunField("id", "id", "text", "r.id"),
        RunField("split_id", "split id", "text", "r.split_id"),
    )
}

# What readers see above the columns, where that is not the name of the column, with what stands there.
_HEADINGS: dict[str, RunField] = {
    **{field.label: field for field in FACTS.values() if field.label not in FACTS},
    "name": FACTS["run"],
    "time": RunField("time", "time", "number", "r.seconds / 60"),  # as the table shows it: in minutes
}

_LAST_VALUE = """
SELECT run, arg_max(value, (step, coalesce(adaptation_step, 0))) AS value FROM metrics
WHERE name = ? AND task_id IS NULL AND isfinite(value) GROUP BY run
"""
# Every task once, its draws and seeds pooled: sums of nats over sums of bytes; then the mean over tasks.
# Of several evaluations of a run the last one counts; a task that it has seen never does.
_RESULT_MEAN = """
SELECT run_id AS run, avg(bits) AS value FROM (
    SELECT e.run_id, e.task_id, sum(e.nats) / (ln(2) * sum(e.bytes)) AS bits
    FROM (
        SELECT e.* FROM evaluations e JOIN runs o ON o.id = e.run_id AND o.split_id = e.split_id
        WHERE e.role = ? AND e.method = 'adapt' AND e.track = 'static'
        QUALIFY (e.checkpoint_step, CAST(e.adaptation AS VARCHAR)) IS NOT DISTINCT FROM
            last_value((e.checkpoint_step, CAST(e.adaptation AS VARCHAR)))
            OVER (PARTITION BY e.run_id ORDER BY e.created_at, e.rowid
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) e
    WHERE e.support_bytes = ? AND NOT e.seen
    GROUP BY e.run_id, e.task_id, e.adaptation_step
    QUALIFY e.adaptation_step = max(e.adaptation_step) OVER (PARTITION BY e.run_id)
) GROUP BY run_id
"""


def field(key: str) -> RunField:
    """The column of this name, or of the only setting that ends with it. Raises FilterError."""
    if key in FACTS:
        return FACTS[key]
    if key.startswith(_METRIC) and len(key) > len(_METRIC):
        name = key.removeprefix(_METRIC)
        return RunField(key, name, "number", "{source}.value", _LAST_VALUE, (name,))
    if found := _RESULT.fullmatch(key):
        role, size = found[1], int(found[2])
        return RunField(key, f"{role}, {size} B", "number", "{source}.value", _RESULT_MEAN, (role, size))
    return _setting(key)


def named(name: str) -> RunField:
    """The column that a filter means: `field`, or the one with this heading, with spaces or underscores.

    Raises FilterError.
    """
    heading = " ".join(name.casefold().replace("_", " ").split())
    if name not in FACTS and heading in _HEADINGS:
        return _HEADINGS[heading]
    if found := _RESULT_HEADING.fullmatch(heading):
        return field(f"{found[1]}@{found[2]}")
    return field(name)


def _setting(key: str) -> RunField:
    known = settings()
    wanted = key.removeprefix("algorithm.")
    if wanted in known:
        return known[wanted]
    ends = [name for name in known if name.endswith(f".{wanted}")]
    if len(ends) == 1:
        return known[ends[0]]
    if ends:
        raise FilterError(f"no single column {key!r} of runs; it may be {', '.join(ends)}")
    raise FilterError(f"no column {key!r} of runs; {_nearest(key, tuple(known))}")


def _nearest(key: str, known: tuple[str, ...]) -> str:
    """The names that are most like `key`; where none is, all that stand above the table."""
    from difflib import get_close_matches

    headings = [name.replace(" ", "_") for name in _HEADINGS]
    names = list(dict.fromkeys([*FACTS, *headings, *known]))
    wanted = key.casefold().replace(" ", "_")
    begun = [name for name in names if len(wanted) > 1 and name.startswith(wanted)]
    near = list(dict.fromkeys([*begun, *get_close_matches(wanted, names, n=3, cutoff=0.6)]))[:3]
    if near:
        return f"is it {' or '.join(near)}?"
    shown = ", ".join(field.label.replace(" ", "_") for field in FACTS.values())
    return f"there are {shown}, settings (inner.lr), metrics (metric.lr) and results (meta-test@512)"


@cache
def settings() -> Mapping[str, RunField]:
    """Every setting of every algorithm, in the order of the classes; the seed and the start are facts."""
    values: dict[str, set[type]] = {}
    for algorithm in ALGORITHMS.values():
        for path, value in _leaves(RunConfig(algorithm=algorithm()).to_json()):
            values.setdefault(path, set()).add(type(value))
    for path in ("algorithm.name", "seed", "init"):
        values.pop(path)
    return {found.key: found for path, types in values.items() if (found := _of_path(path, types))}


def _of_path(path: str, types: set[type]) -> RunField:
    key = path.removeprefix("algorithm.")
    text, at = "json_extract_string(r.config, ?)", (f"$.{path}",)
    if types & {str, bool}:
        return RunField(key, key, "text", text, values=at)
    return RunField(key, key, "number", f"TRY_CAST({text} AS DOUBLE)", values=at)


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name, value
