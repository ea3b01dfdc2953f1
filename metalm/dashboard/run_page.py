"""What is shown of the selected runs: one in full, several as a row of actions."""

from __future__ import annotations

import dataclasses

import pandas as pd
import streamlit as st

from metalm.config import RunConfig, run_config
from metalm.dashboard import (
    contents,
    curve_controls,
    run_actions,
    run_adaptation,
    run_learned,
    run_records,
    run_results,
    run_selection,
    state,
    train_watch,
    widgets,
    wording,
)
from metalm.dashboard.charts.curves import CurveView
from metalm.dashboard.table_height import table_height
from metalm.dashboard.train_settings import every_setting, typed_value
from metalm.errors import NotFoundError
from metalm.operations.training import command_line
from metalm.store.runs import Run

LOOKS = [
    "Curves",
    "Results",
    "Lineage",
    "Adaptation",
    "Diagnostics",
    "Settings",
    "Samples",
    "Machine",
    "Log",
    "Events",
    "Files",
]
_WATCHED = ("Curves", "Diagnostics", "Machine", "Log")  # with its state above, as it stands while it trains
_LEARNED = "Learned"  # of runs that learned more than weights


def show(runs: list[Run], *, is_own: bool = False) -> None:
    """The panel below the table. is_own: it stands on the page of the one run, not below the others."""
    if not runs:
        st.caption("Select a run to see and change it, or several to act on all of them.")
        return
    st.divider()
    run_actions.show(runs)
    if len(runs) > 1:
        return
    run = runs[0]
    if not is_own:
        contents.link("Run", "On a page of its own", run=run.name)
    _labels(run)
    looks = [*LOOKS, _LEARNED] if run_learned.has_any(run) else LOOKS
    look = widgets.switch("Look at", looks, "look")
    if look not in _WATCHED:
        train_watch.head(run)
    if look in _WATCHED:
        view = curve_controls.choose([run]) if look == "Curves" else CurveView()
        train_watch.panel(run, look, view)
    elif look == "Results":
        run_results.show(run)
    elif look == "Lineage":
        run_selection.lineage([run])
    elif look == _LEARNED:
        run_learned.show(run)
    elif look == "Adaptation":
        run_adaptation.show(run)
    elif look == "Samples":
        run_records.samples(run)
    elif look == "Events":
        run_records.events(run)
    elif look == "Files":
        run_records.files(run)
    else:
        _settings(run)


def _labels(run: Run) -> None:
    tags = " ".join(f":gray-badge[{wording.plain(tag)}]" for tag in run.tags)
    archived = ":gray-badge[archived]" if run.archived else ""
    if tags or archived:
        st.markdown(f"{tags} {archived}")
    if run.notes:
        st.markdown(run.notes)


def _settings(run: Run) -> None:
    """Every setting, those that differ from the defaults first, and how to launch the same again."""
    if run.is_foreign:
        st.caption("Another program made this run: its parameters stand in the notes.")
        return
    config = run_config(run.config)
    plain = RunConfig(algorithm=type(config.algorithm)())
    defaults = {key: value for key, value, *_ in every_setting(plain)}
    rows = [
        {
            "setting": key,
            "value": typed_value(value),
            "changed": value != defaults[key],
            "what it is": f.metadata["help"],
        }
        for key, value, f, _ in every_setting(config)
    ]
    table = pd.DataFrame(rows).sort_values("changed", ascending=False, kind="stable")
    st.dataframe(table, hide_index=True, height=table_height(len(table), 16), alt="Settings of the run")
    facts = {
        "split": _split_name(run),
        "device": run.device,
        "code": run.code_version,
        "created": run.created_at.strftime("%Y-%m-%d %H:%M"),
        "texts seen, ancestors' too": wording.count(len(run.seen)),
    }
    st.caption(" · ".join(f"{name}: {wording.plain(value)}" for name, value in facts.items() if value))
    if run.adaptation:
        _adaptation(run.adaptation)
    st.markdown("**The same on the command line**")
    parent = state.home().parent_of(run)
    if run.parent and parent is None:
        st.caption(f"It started from run {run.parent}, which is not in this home: import it first.")
    plain = dataclasses.replace(config, init=None)
    line = command_line(plain, _split_name(run), init=parent.name if parent else run.parent or "")
    st.code(line.replace(" --", " \\\n  --"), language=None, wrap_lines=True)


def _adaptation(adaptation: dict) -> None:
    """What tuning chose at the end of the run, and what it chose from."""
    inner = adaptation["inner"]
    st.markdown(
        f"**Adaptation, tuned on meta-validation:** {inner['steps']} steps at a rate of {inner['lr']:g}, "
        f"{inner['batch']} windows of {inner['window']} tokens each"
    )
    if adaptation.get("edges"):
        st.caption(f"The best lies at the edge of what was tried: {', '.join(adaptation['edges'])}.")
    grid = pd.DataFrame(adaptation.get("grid", []))
    if not grid.empty:
        grid = grid.rename(columns={"lr": "rate", "bits_per_byte": "bits per byte"}).sort_values(
            "bits per byte"
        )
        number = st.column_config.NumberColumn(format="%.3f")
        look = {"bits per byte": number}
        alt = "Rates and steps of adaptation that were tried, with what each cost"
        st.dataframe(grid, hide_index=True, width="content", column_config=look, alt=alt)


def _split_name(run: Run) -> str:
    try:
        return state.home().split(run.split_id).name
    except NotFoundError:
        return run.split_id
