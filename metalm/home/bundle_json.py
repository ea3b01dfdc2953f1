"""run.json of a bundle: written from a run, and read back with every value checked.

Whoever reads one may have got it from anywhere: nothing in it is believed before it fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from metalm.config import RunConfig, run_config
from metalm.errors import BundleError
from metalm.home.place import RUN_FOLDER
from metalm.home.versions import versions
from metalm.store.runs import SUMMARY, Run
from metalm.text import tokenizers
from metalm.text.splits import Split
from metalm.text.tokenizers import Tokenizer

FORMAT = "metalm run bundle 1"
RUN_FILE = "run.json"
MAX_JSON_BYTES = 256 << 20
MAX_OPENINGS = 10_000  # of one meta-test by one run: each is a row

# What belongs to the process that trained, not to the run.
_OWNERSHIP = ("owner_pid", "owner_boot", "heartbeat")
_TIMES = ("created_at", "started_at", "finished_at")
_LISTS = ("tags", "seen", "validated")
_LINEAGE = re.compile(r"[0-9a-f]{64}:\d{1,18}:\d{1,18}")


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


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes JSON that every reader takes, for eyes as well."""
    path.write_text(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The content of run.json; its format is checked, its parts are not yet."""
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


def told_run(told: Any) -> Run:
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


def told_split(told: Any) -> Split:
    """The split of a bundle; its hash is checked."""
    split = Split.from_json(_object(told, "split"))
    for record in (split, *(member.task for member in split.tasks)):
        for name, hint in get_type_hints(type(record)).items():
            if name != "tasks" and not _fits(getattr(record, name), hint):
                raise BundleError(
                    f"the split of a bundle must be as metalm writes it, got {name} {getattr(record, name)!r}"
                )
    return split


def told_tokenizer(told: Any, run: Run) -> Tokenizer:
    """The tokenizer of a bundle, which must be the run's."""
    told = dict(_object(told, "tokenizer"))
    tokenizer_hash = told.pop("hash", None)
    tokenizer = tokenizers.from_json(told)
    if not tokenizer.hash == tokenizer_hash == run.tokenizer:
        raise BundleError(f"the tokenizer of run {run.name!r} must have the hash {run.tokenizer!r}")
    return tokenizer


def told_summary(told: Any) -> dict[str, Any] | None:
    """The figures that the runs table shows; a run without meta-validation has none."""
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


def told_openings(told: Any) -> dict[str, int]:
    """How often the run opened meta-test, by the id of the split."""
    openings = _object(told, "openings")
    if not all(_fits(number, int) and 1 <= number <= MAX_OPENINGS for number in openings.values()):
        raise BundleError(
            f"'openings' in {RUN_FILE} must be whole numbers from 1 to {MAX_OPENINGS}, got {told!r}"
        )
    return openings


def _object(told: Any, name: str) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise BundleError(f"{RUN_FILE} must have an object {name!r}, got {type(told).__name__}")
    return told
