"""The run bundle: a directory with all there is to say about a finished run, for whatever leaves or enters.

`run.json` (the run and its lineage, its split with hashes, tokenizer, versions, how often it opened which
meta-test), `weights.safetensors` under the article's names, whole or in half precision,
`adaptation.safetensors` where the run learned how to adapt, `metrics.parquet`, `evaluations.parquet`. Nothing
in it is executed when it is read, and no text is in it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metalm.errors import BundleError
from metalm.home.bundle_json import (
    RUN_FILE,
    description,
    read_json,
    told_openings,
    told_run,
    told_split,
    told_summary,
    told_tokenizer,
    write_json,
)
from metalm.home.lineage import left_out
from metalm.store.runs import Run
from metalm.text.splits import Split
from metalm.text.tokenizers import Tokenizer

WEIGHTS_FILE, LEARNED_FILE = "weights.safetensors", "adaptation.safetensors"
METRICS_FILE, EVALUATIONS_FILE = "metrics.parquet", "evaluations.parquet"

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


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a bundle holds beside its weights and what was learned about adaptation: of these, the hashes.

    summary: what the runs table shows, None where nothing is. openings: how often the run opened meta-test,
    by the id of the split. learned_sha256: None when nothing was learned.
    """

    run: Run
    split: Split
    tokenizer: Tokenizer
    summary: dict[str, Any] | None
    openings: Mapping[str, int]
    weights_sha256: str
    learned_sha256: str | None
    metrics: pa.Table
    evaluations: pa.Table


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Writes a bundle into a folder that has its tensors already."""
    for name, table, schema in (
        (METRICS_FILE, bundle.metrics, METRICS),
        (EVALUATIONS_FILE, bundle.evaluations, EVALUATIONS),
    ):
        pq.write_table(table.cast(schema), folder / name, compression="zstd")
    told = description(bundle.run, bundle.split, bundle.tokenizer, bundle.summary)
    write_json(folder / RUN_FILE, {**told, "openings": dict(bundle.openings), **_hashes(bundle)})


def copy_tensors(source: Path, folder: Path, *, half: bool = False) -> None:
    """Copies the weights, and what was learned about adaptation where there is any.

    half: in half precision, as `metalm.model.weight_files.halve` does it.
    """
    for name in (WEIGHTS_FILE, LEARNED_FILE):
        if half and (source / name).exists():
            # Here, not above: torch takes seconds to come in.
            from metalm.model.weight_files import halve

            halve(source / name, folder / name)
            (folder / name).chmod(0o644)
        elif name == WEIGHTS_FILE or (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def tensor_hashes(folder: Path) -> dict[str, str | None]:
    """Of the tensors in a folder, as a `Bundle` has them; None where there is no such file."""
    paths = {"weights_sha256": folder / WEIGHTS_FILE, "learned_sha256": folder / LEARNED_FILE}
    return {name: file_sha256(path) if path.is_file() else None for name, path in paths.items()}


def _hashes(bundle: Bundle) -> dict[str, str]:
    """As run.json has them; where nothing was learned about adaptation, it names the weights' only."""
    learned = {} if bundle.learned_sha256 is None else {"adaptation_sha256": bundle.learned_sha256}
    return {"weights_sha256": bundle.weights_sha256, **learned}


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a directory, checked against its own hashes. Raises BundleError when it is none."""
    for name in (RUN_FILE, WEIGHTS_FILE, METRICS_FILE, EVALUATIONS_FILE):
        if not (folder / name).is_file():
            raise BundleError(f"no {name} in {folder}; a run bundle is a directory with this file")
    data = read_json(folder / RUN_FILE)
    run = told_run(data.get("run"))
    split = told_split(data.get("split"))
    evaluations = _read_table(folder / EVALUATIONS_FILE, EVALUATIONS)
    bundle = Bundle(
        run=run,
        split=split,
        tokenizer=told_tokenizer(data.get("tokenizer"), run),
        summary=told_summary(data.get("summary")),
        openings={**_least_openings(evaluations), **told_openings(data.get("openings", {}))},
        **tensor_hashes(folder),
        metrics=_read_table(folder / METRICS_FILE, METRICS),
        evaluations=evaluations,
    )
    if split.id != run.split_id:
        raise BundleError(f"the split of run {run.name!r} must be {run.split_id}, got {split.id}")
    if missing := left_out(run, split):
        raise BundleError(f"the lineage of run {run.name!r} must tell of task {missing.name!r} of its split")
    if bundle.weights_sha256 != data.get("weights_sha256"):
        raise BundleError(f"{WEIGHTS_FILE} of run {run.name!r} must have the hash that {RUN_FILE} says")
    if bundle.learned_sha256 != data.get("adaptation_sha256"):
        raise BundleError(f"{LEARNED_FILE} of run {run.name!r} must have the hash that {RUN_FILE} says")
    if set(bundle.evaluations["run_id"].to_pylist()) - {run.id}:
        raise BundleError(f"{EVALUATIONS_FILE} must hold rows of run {run.id} only")
    return bundle


def _least_openings(evaluations: pa.Table) -> dict[str, int]:
    """What a bundle that does not tell its openings must have had: one a split whose meta-test it has."""
    pairs = rows(evaluations.select(["split_id", "role"]))
    return {split_id: 1 for split_id, role in pairs if role == "meta-test"}


def file_sha256(path: Path) -> str:
    """64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows(table: pa.Table) -> Iterable[tuple]:
    """A table's rows as plain Python values; a missing value is None, NaN stays NaN."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


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
