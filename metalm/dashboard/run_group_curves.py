"""Curves of the groups that selected runs belong to: line and band over repetitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import curve_controls, curve_data, palette, run_groups, state, widgets
from metalm.dashboard.charts.group_curves import group_curves
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.components.chart import Figure, chart
from metalm.dashboard.run_groups import Ways
from metalm.home.grouping import RunGroup, repeated
from metalm.store.runs import Run

MAX_GROUPS = 28  # more could not be told apart by colour and dash
_PARTS = ["validation", "query"]


def figure(curve: pd.DataFrame, runs: Sequence[Run], ways: Ways, view: CurveView) -> Figure:
    """Their curve, a line and a band a group of these runs."""
    groups = run_groups.groups_of(ways)
    keys = {run_id: key for key, ids in repeated(groups, [run.id for run in runs]).items() for run_id in ids}
    names = {groups[run_id].key: groups[run_id].name for run_id in keys}
    return group_curves(curve, keys, palette.run_styles(names), view)


def show(runs: Sequence[Run], ways: Ways) -> None:
    """Below the table of groups, once some are selected."""
    groups = run_groups.groups_of(ways)
    runs = _on_one_split(runs, groups)
    names = {groups[run.id].key: groups[run.id].name for run in runs}
    if not names:
        return
    if len(names) > MAX_GROUPS:
        st.info(f"{len(names)} groups are selected; curves of up to {MAX_GROUPS} can be told apart.")
        return
    st.subheader("Mean and standard deviation", anchor=False)
    part = widgets.switch("Part", _PARTS, "part", help="validation: meta-validation tasks after adaptation")
    view = curve_controls.choose(runs, has_unit=False)
    curve = curve_data.gather(state.home().store.metrics, [run.id for run in runs], [part], view.x)
    curve_controls.tell_uncounted(runs, curve, view)
    chart(
        figure(curve, runs, ways, view),
        key="runs.group curves",
        label=f"Bits per byte of {', '.join(names.values())}: mean and standard deviation over runs",
        view=f"{view}|{part}",
    )
    st.caption("The band is one standard deviation over the runs of a group to either side of their mean.")


def _on_one_split(runs: Sequence[Run], groups: Mapping[str, RunGroup]) -> list[Run]:
    """Those whose group is on one split; words on the others, whose curves have no mean."""
    splits: dict[str, set[str]] = {}
    for run in runs:
        if run.id in groups:
            splits.setdefault(groups[run.id].key, set()).add(run.split_id)
    if any(len(of_group) > 1 for of_group in splits.values()):
        st.info(run_groups.SEVERAL_SPLITS.strip())
    return [run for run in runs if run.id in groups and len(splits[groups[run.id].key]) == 1]
