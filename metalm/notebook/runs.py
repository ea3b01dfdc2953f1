"""The runs of a home, their curves and their scores, as DataFrames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from metalm import units
from metalm.config.places import default_home
from metalm.operations.session import open_session

if TYPE_CHECKING:
    from metalm.notebook.trained import TrainedRun

_TIMES = ("created_at", "started_at", "finished_at")


@dataclass(frozen=True)
class Runs:
    """The runs of the home in `home_dir`. A run is meant by its name, its id, or a prefix of its id.

    Every method raises NotFoundError for what the home does not have, and HomeError while another command,
    which it names, has the home.
    """

    home_dir: Path

    @classmethod
    def of(cls, home: Path | str | None) -> Self:
        """Those of a home; None is the default one."""
        return cls(Path(default_home() if home is None else home).absolute())

    def frame(self, *, archived: bool = False) -> pd.DataFrame:
        """A row a run, the newest first, by its name: how far it is, what it came to, and every setting.

        Settings are columns by their dotted keys (`model.hidden`, `algorithm.inner.lr`); bits per byte are on
        meta-validation.
        """
        lines = self._asked("runs table", archived=archived)
        for line in lines:
            line |= _flat(_config(line.pop("config")))
        return _timed(_frame(lines, ["name"])).set_index("name")

    def curve(
        self, *runs: str, name: str = "validation", x: str = "step", points: int | None = None
    ) -> pd.DataFrame:
        """The curve of one run or several: a row a (run, outer step), `run` as its name.

        name: support, query or validation (a loss: summed nats, counts, and the units derived from them), or
        a scalar such as gradient_norm (`value`). x: step, tokens, wall_seconds, gradient_evaluations, flops.
        points: about so many a line; None is all.
        """
        table = _frame(self._asked("runs curve", runs=list(runs), name=name, x=x, points=points), ["run"])
        return _derived(table.assign(run=table["run"].map(self._names())))

    def evaluations(
        self, *runs: str, split: str | None = None, role: str | None = None, baselines: bool = True
    ) -> pd.DataFrame:
        """A row a score: run, task, method, support_bytes, adaptation_step, bits_per_byte ...

        runs: none is all. `seen` marks tasks that the run was trained on: leave them out of means.
        """
        lines = self._asked("runs evaluations", runs=list(runs) or None, split=split, role=role)
        table = _derived(_frame(lines, ["run_id", "run", "task", "role"]))
        return table if baselines else table[table["run_id"].notna()].reset_index(drop=True)

    def load(self, run: str, *, device: str = "cpu") -> TrainedRun:
        """A trained run, ready to adapt to texts. Raises RunStateError when it has no weights yet."""
        from metalm.notebook.trained import TrainedRun

        [recipe] = self._asked("runs recipe", run=run)
        return TrainedRun.of(self, recipe, device=device)

    def _names(self) -> dict[str, str]:
        return {line["id"]: line["name"] for line in self._asked("runs table", archived=True)}

    def _asked(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        """The lines of an operation, the home given free again."""
        with open_session(self.home_dir, doing="notebook") as session:
            return list(session.call(operation, **arguments))


def _config(told: Any) -> dict[str, Any]:
    return json.loads(told) if isinstance(told, str) else told


def _flat(config: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by dotted keys."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return flat


def _frame(lines: Iterable[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Lines as a table; without any it still has the `columns`."""
    return pd.DataFrame(list(lines)) if lines else pd.DataFrame(columns=list(columns))


def _timed(table: pd.DataFrame) -> pd.DataFrame:
    """Times as times."""
    times = {
        name: [datetime.fromisoformat(text) if isinstance(text, str) else None for text in table[name]]
        for name in _TIMES
        if name in table
    }
    return table.assign(**{name: pd.to_datetime(pd.Series(times[name], table.index)) for name in times})


def _derived(table: pd.DataFrame) -> pd.DataFrame:
    """With the units that follow from summed nats and their counts, where there are any."""
    if "nats" not in table or table.empty:
        return table
    nats = table["nats"].astype(float)
    return table.assign(
        bits_per_byte=units.bits_per_byte(nats, table["bytes"]),
        nats_per_token=units.nats_per_token(nats, table["tokens"]),
        perplexity=units.perplexity(nats, table["tokens"]),
    )
