"""What differs between the settings of runs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from metalm.config import run_config
from metalm.dashboard import state
from metalm.store.runs import Run


def show(runs: Sequence[Run]) -> None:
    """A table with a row a setting that differs, a column a run."""
    if len(runs) < 2:
        st.info("Choose a second run to see what differs.")
        return
    names = dict(state.home().store.runs.names())
    splits = {split.id: f"{split.name} {split.id[:8]}" for split in state.home().splits()}
    facts = {run.name: _facts(run, names, splits) for run in runs}
    table = differing(facts)
    if table.empty:
        st.success("These runs were told the same.")
        return
    names_wide = {"_index": st.column_config.Column(width="medium")}
    st.dataframe(
        table, height="content", column_config=names_wide, alt="Settings that differ between the runs"
    )
    st.caption(f"{len(facts[runs[0].name]) - len(table)} settings are the same and not shown.")


def _facts(run: Run, names: Mapping[str, str], splits: Mapping[str, str]) -> dict[str, Any]:
    return {
        "split": splits.get(run.split_id, run.split_id[:8]),
        "started from": names.get(run.parent, run.parent) if run.parent else "new weights",
        "device": run.device,
        "code version": run.code_version,
        "algorithm": run.algorithm,
        **_settings(run),
        **{f"tuned: {key}": value for key, value in (run.adaptation or {}).get("inner", {}).items()},
    }


def _settings(run: Run) -> dict[str, Any]:
    """By dotted keys; of another program's run, what that one told."""
    if run.is_foreign:
        return dict(run.config["imported"])
    return {key: value for key, value, _, _ in run_config(run.config).keys()}  # noqa: SIM118 - no mapping


def differing(facts: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The rows (settings) in which the columns (runs) differ; a setting that a run lacks is a dash."""
    keys = dict.fromkeys(key for of_run in facts.values() for key in of_run)
    shown = {
        key: {name: _text(of_run[key]) if key in of_run else "–" for name, of_run in facts.items()}
        for key in keys
    }
    rows = {key: row for key, row in shown.items() if len(set(row.values())) > 1}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(facts))


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
