"""Groups of runs: everything alike but the seed, or alike in what is named.

Which group a run belongs to follows from that run and its ancestors alone, those in the bin too, so that runs
which are hidden, deleted, or come later, change no other group.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metalm.errors import FilterError
from metalm.home.runs import Runs
from metalm.store.run_fields import field
from metalm.store.run_table import RunQuery
from metalm.store.values import free_name

SEED = "seed"
# "lr 0.1 seed 3", "base-2": what `create_runs` and `free_name` put behind a name.
_BEHIND = re.compile(r"(?:[ ,_-]*\bseed[ =_-]?\d+|-\d+)+$")


@dataclass(frozen=True)
class RunGroup:
    """Runs that count as repetitions of one another, oldest first. key: the same in every home."""

    key: str
    name: str
    run_ids: tuple[str, ...]


class Grouping(Runs):
    """The part of a home that sees repetitions."""

    def run_groups(self, *, ignoring: Sequence[str] = (SEED,), by: Sequence[str] = ()) -> dict[str, RunGroup]:
        """Run id -> its group, archived runs too.

        ignoring: the columns (see `run_fields`: settings, `seed`, `split`) in which the runs of a group may
        differ; in all others they are alike, ancestors included. by: instead, all that they must be alike in.
        Raises FilterError for a column that is no setting, or that there is not.
        """
        kin = self.store.run_table.kin(deleted=True)
        keys = self._alike_in(by) if by else _alike_but(kin, ignoring)
        names = dict(self.store.runs.names())  # without those in the bin
        members: dict[str, list[str]] = {}
        for run_id in kin["id"]:
            if run_id in names and run_id in keys:
                members.setdefault(keys[run_id][0], []).append(run_id)
        taken: set[str] = set()
        groups = {}
        for key, run_ids in members.items():
            stem = keys[run_ids[0]][1] or _BEHIND.sub("", names[run_ids[0]]) or names[run_ids[0]]
            name = free_name(stem, taken)
            taken.add(name)
            groups |= dict.fromkeys(run_ids, RunGroup(key, name, tuple(run_ids)))
        return groups

    def _alike_in(self, by: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Run id -> (key, name) of what it is in the columns `by`."""
        frame = self.store.run_table.frame(["id", *by], RunQuery(archived=True))
        told = {}
        for run_id, *values in frame.itertuples(index=False, name=None):
            texts = [_worded(key, value) for key, value in zip(by, values, strict=True)]
            told[run_id] = (_hashed(list(zip(by, texts, strict=True))), ", ".join(texts))
        return told


def _worded(key: str, value: Any) -> str:
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        value = " ".join(map(str, value))
    text = "none" if value is None or value == "" or pd.isna(value) else str(value)
    if isinstance(value, float) and text != "none":
        text = f"{value:g}"
    return text if field(key).kind == "text" and "." not in key else f"{key} {text}"


def _alike_but(kin: pd.DataFrame, ignoring: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Run id -> (key, no name of its own): all its settings but those, its split, its parent's group.

    kin: oldest first, so that a parent is known before its children.
    """
    paths = [_path(key) for key in ignoring]
    keys: dict[str, tuple[str, str]] = {}
    for run_id, parent, split_id, text in kin[["id", "parent", "split_id", "config"]].itertuples(index=False):
        config = json.loads(text)
        for path in [*paths, ("init",)]:
            _remove(config, path)
        split = "" if ("split",) in paths else split_id
        start = "" if ("warm_start",) in paths or not parent else keys.get(parent, (parent, ""))[0]
        keys[run_id] = (_hashed([config, split, start]), "")
    return keys


def _path(key: str) -> tuple[str, ...]:
    """Where a column stands in a config; seed, split and start stand where their names say."""
    if key in (SEED, "split", "warm_start", "device"):
        return (key,)
    column = field(key)
    if not column.values or column.source:
        raise FilterError(f"what groups ignore must be a setting, the seed or the split, got {key!r}")
    return tuple(column.values[0].removeprefix("$.").split("."))


def _remove(config: dict[str, Any], path: Sequence[str]) -> None:
    *above, last = path
    for name in above:
        config = config.get(name, {})
    if isinstance(config, Mapping):
        config.pop(last, None)


def _hashed(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def repeated(groups: Mapping[str, RunGroup], run_ids: Collection[str]) -> dict[str, list[str]]:
    """Group key -> those of `run_ids` that belong to it, in order: what a chart draws as line and band."""
    found: dict[str, list[str]] = {}
    for run_id in run_ids:
        if run_id in groups:
            found.setdefault(groups[run_id].key, []).append(run_id)
    return found
