"""The run bundle: a directory with all there is to say about a finished run, for whatever leaves or enters.

`run.json` (the run and its lineage, its split with hashes, tokenizer, versions), `weights.safetensors` under
the article's names, `metrics.parquet`, `evaluations.parquet`. Nothing in it is executed when it is read, and
no text is in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from metalm.config import RunConfig, run_config
from metalm.errors import BundleError
from metalm.home.place import RUN_FOLDER
from metalm.home.versions import versions
from metalm.store.runs import SUMMARY, Run
from metalm.text import tokenizers
from metalm.text.splits import Split
from metalm.text.tokenizers import Tokenizer

FORMAT = "metalm run bundle 1"
RUN_FILE, WEIGHTS_FILE = "run.json", "weights.safetensors"
METRICS_FILE, EVALUATIONS_FILE = "metrics.parquet", "evaluations.parquet"
MAX_JSON_BYTES = 256 << 20

_INTEGER, _NUMBER, _TEXT = pa.int64(), pa.float64(), pa.string()
METRICS = pa.schema(
    [
        pa.field("step", _INTEGER, nullable=False),
        pa.field("tokens", _INTEGER, nullable=False),
        pa.field("wall_seconds", _NUMBER, nullable=False),
        pa.field("name", _TEXT, nullable=False),
        pa.field("task_id", _TEXT),
        pa.field("adaptation_step", _INTEGER),
        pa.field("value", _NUMBER, nullable=False),
    ]
)
EVALUATIONS = pa.schema(
    [
        pa.field("run_id", _TEXT, nullable=False),
        pa.field("checkpoint_step", _INTEGER),
        *(pa.field(n, _TEXT, nullable=False) for n in ("split_id", "role", "task_id", "track", "method")),
        pa.field("adaptation", _TEXT, nullable=False),
        *(
            pa.field(n, _INTEGER, nullable=False)
            for n in ("support_bytes", "draw", "adaptation_step", "seed")
        ),
        pa.field("nats", _NUMBER, nullable=False),
        *(pa.field(n, _INTEGER, nullable=False) for n in ("tokens", "bytes", "chars")),
        pa.field("seconds", _NUMBER, nullable=False),
        pa.field("seen", pa.bool_(), nullable=False),
    ]
)

# What belongs to the process that trained, not to the run.
_OWNERSHIP = ("owner_pid", "owner_boot", "heartbeat")
_TIMES = ("created_at", "started_at", "finished_at")
_LISTS = ("tags", "seen", "validated")
_LINEAGE = re.compile(r"[0-9a-f]{64}:\d{1,18}:\d{1,18}")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a bundle holds beside its weights. summary: what the runs table shows, None where nothing is."""

    run: Run
    split: Split
    tokenizer: Tokenizer
    summary: dict[str, Any] | None
    weights_sha256: str
    metrics: pa.Table
    evaluations: pa.Table


def description(run: Run, split: Split, tokenizer: Tokenizer, summary: Mapping[str, Any] | None) -> dict:
    """The content of run.json, but for the hash of the weights."""
    told = {name: value for name, value in asdict(run).items() if name not in _OWNERSHIP}
    told |= {name: told[name] and told[name].isoformat() for name in _TIMES}
    return {
        "format": FORMAT,
        "run": told,
        "split": split.to_json(),
        "tokenizer": {"hash": tokenizer.hash, **tokenizer.to_json()},
        "summary": dict(summary) if summary else None,
        "versions": versions(),
    }


def write_bundle(bundle: Bundle, weights: Path, folder: Path) -> None:
    """Writes a bundle into an empty folder; weights: the file to copy."""
    shutil.copyfile(weights, folder / WEIGHTS_FILE)
    pq.write_table(bundle.metrics.cast(METRICS), folder / METRICS_FILE)
    pq.write_table(bundle.evaluations.cast(EVALUATIONS), folder / EVALUATIONS_FILE)
    told = description(bundle.run, bundle.split, bundle.tokenizer, bundle.summary)
    write_json(folder / RUN_FILE, {**told, "weights_sha256": bundle.weights_sha256})


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes JSON that every reader takes, for eyes as well."""
    path.write_text(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a directory, checked against its own hashes. Raises BundleError when it is none."""
    for name in (RUN_FILE, WEIGHTS_FILE, METRICS_FILE, EVALUATIONS_FILE):
        if not (folder / name).is_file():
            raise BundleError(f"no {name} in {folder}; a run bundle is a directory with this file")
    data = _read_json(folder / RUN_FILE)
    run = _run(data.get("run"))
    split = _split(_mapping(data, "split"))
    bundle = Bundle(
        run=run,
        split=split,
        tokenizer=_tokenizer(_mapping(data, "tokenizer"), run),
        summary=_summary(data.get("summary")),
        weights_sha256=file_sha256(folder / WEIGHTS_FILE),
        metrics=_read_table(folder / METRICS_FILE, METRICS),
        evaluations=_read_table(folder / EVALUATIONS_FILE, EVALUATIONS),
    )
    if split.id != run.split_id:
        raise BundleError(f"the split of run {run.name!r} must be {run.split_id}, got {split.id}")
    if bundle.weights_sha256 != data.get("weights_sha256"):
        raise BundleError(f"{WEIGHTS_FILE} of run {run.name!r} must have the hash that {RUN_FILE} says")
    if set(bundle.evaluations["run_id"].to_pylist()) - {run.id}:
        raise BundleError(f"{EVALUATIONS_FILE} must hold rows of run {run.id} only")
    return bundle


def file_sha256(path: Path) -> str:
    """64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows(table: pa.Table) -> Iterable[tuple]:
    """A table's rows as plain Python values; a missing value is None, NaN stays NaN."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _read_json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise BundleError(f"{path.name} must have at most {MAX_JSON_BYTES} bytes, got {path.stat().st_size}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path.name} must be JSON in UTF-8: {error}") from error
    told = data.get("format") if isinstance(data, dict) else None
    if told != FORMAT:
        raise BundleError(f"{path.name} must be of the format {FORMAT!r}, got {told!r}")
    return data


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(data.get(name), dict):
        raise BundleError(f"{RUN_FILE} must have an object {name!r}, got {type(data.get(name)).__name__}")
    return data[name]


def _run(told: Any) -> Run:
    """The run of a bundle, every field of the kind that it has in the store."""
    hints = get_type_hints(Run)
    expected = hints.keys() - {*_OWNERSHIP}
    if not isinstance(told, dict) or set(told) != expected:
        raise BundleError(f"'run' in {RUN_FILE} must be an object with exactly the fields of a run")
    try:
        times = {name: told[name] and datetime.fromisoformat(told[name]) for name in _TIMES}
        values = told | {name: tuple(told[name]) for name in _LISTS if isinstance(told[name], list)} | times
        for name in expected:
            if not _fits(values[name], hints[name]):
                raise TypeError(f"{name} is {values[name]!r}")
        run = Run(**values)
        _check_config(run.config)
    except (TypeError, ValueError) as error:  # a ConfigError is a ValueError
        raise BundleError(f"'run' in {RUN_FILE} must be as metalm writes it: {error}") from error
    if not RUN_FOLDER.fullmatch(run.id) or run.status != "finished" or not run.name.strip():
        raise BundleError(
            f"'run' in {RUN_FILE} must be finished, with a name and an id of 12 hex digits, "
            f"got {run.status!r}, {run.name!r} and {run.id!r}"
        )
    if odd := [text for text in (*run.seen, *run.validated) if not _LINEAGE.fullmatch(text)]:
        raise BundleError(f"the lineage of run {run.name!r} must be sha256:begin:end, got {odd[0]!r}")
    return run


def _fits(value: Any, hint: Any) -> bool:
    """A JSON value is of the kind that a field of `Run` declares."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, kind) for kind in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(each, str) for each in value)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and (
            get_args(hint)[1] is Any or all(isinstance(each, str) for each in value.values())
        )
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return isinstance(value, get_origin(hint) or hint)


def _check_config(told: Mapping[str, Any]) -> None:
    """Raises ConfigError, or TypeError where a section is a number or a number a section."""
    config = run_config(told)

    def compare(told: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for name, value in told.items():
            if isinstance(value, dict) != isinstance(known.get(name), dict):
                raise TypeError(f"config has {name} {value!r}")
            if isinstance(value, dict):
                compare(value, known[name])

    compare(told, replace(RunConfig(), algorithm=type(config.algorithm)()).to_json())


def _split(data: Mapping[str, Any]) -> Split:
    split = Split.from_json(data)
    for record in (split, *(member.task for member in split.tasks)):
        for name, hint in get_type_hints(type(record)).items():
            if name != "tasks" and not _fits(getattr(record, name), hint):
                raise BundleError(
                    f"the split of a bundle must be as metalm writes it, got {name} {getattr(record, name)!r}"
                )
    return split


def _tokenizer(data: Mapping[str, Any], run: Run) -> Tokenizer:
    told = dict(data)
    tokenizer_hash = told.pop("hash", None)
    tokenizer = tokenizers.from_json(told)
    if not tokenizer.hash == tokenizer_hash == run.tokenizer:
        raise BundleError(f"the tokenizer of run {run.name!r} must have the hash {run.tokenizer!r}")
    return tokenizer


def _summary(told: Any) -> dict[str, Any] | None:
    if told is None:
        return None
    numbers = told.values() if isinstance(told, dict) else ()
    if (
        not isinstance(told, dict)
        or set(told) != set(SUMMARY)
        or not all(_fits(n, float | None) for n in numbers)
    ):
        raise BundleError(f"'summary' in {RUN_FILE} must have the numbers {', '.join(SUMMARY)}, got {told!r}")
    return told


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(path)
        if set(table.column_names) != set(schema.names):
            raise BundleError(f"{path.name} must have the columns {', '.join(schema.names)}")
        table = table.select(schema.names).cast(schema)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BundleError(f"{path.name} must be a Parquet file as metalm writes it: {error}") from error
    if any(table[field.name].null_count for field in schema if not field.nullable):
        raise BundleError(f"{path.name} must have a value wherever one is needed")
    return table
