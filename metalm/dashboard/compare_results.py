"""Evaluations of the chosen runs: where they were evaluated, what is missing, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import (
    baseline,
    compare_evidence,
    compare_facets,
    evidence_tables,
    glossary,
    job_progress,
    run_evaluate,
    state,
    widgets,
    wording,
)
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.compare_evidence import Evidence
from metalm.dashboard.table_height import table_height
from metalm.evaluate.statistics import leaves_zero_out
from metalm.store.runs import Run
from metalm.text.splits import Split

_EFFECT = (
    "Cohen's d_z: the mean difference over the standard deviation of the tasks' differences. Below zero is "
    "better. 0.2 either way is small, 0.5 medium, 0.8 large: it says how much the tasks agree, not how many "
    "bits it is. Of a few tasks it is a rough guess."
)


def evidence(runs: Sequence[Run]) -> Evidence | None:
    """What was measured of `runs` at the place that is chosen; None, and a way out, when nothing was."""
    names = {run.id: run.name for run in runs}
    job_progress.watch(names)
    version = state.home().store.task_results.version()
    rows = _rows(str(state.home().path), tuple(names), version)
    found = {str(place): place for place in compare_evidence.places(rows, list(names))}
    if not found:
        _offer(runs, "None of these runs was evaluated yet.")
        return None
    chosen = (
        widgets.select("Evaluated on", list(found), "place", help=glossary.lines("split", "role", "track"))
        if len(found) > 1
        else next(iter(found))
    )
    gathered = _gathered(str(state.home().path), tuple(names.items()), version, found[chosen])
    _tell(gathered, runs)
    if gathered.tasks.empty:
        st.warning("The runs have seen every task that was evaluated here, so there is nothing to compare.")
        return None
    return gathered


# What is remembered is shared by all sessions: nobody may change it.
@st.cache_resource(max_entries=4, show_spinner="Reading results …")
def _rows(
    home_path: str,  # noqa: ARG001 - the cache must not mix up two homes,
    run_ids: tuple[str, ...],
    version: tuple,  # noqa: ARG001 - nor outlive the evaluations
) -> pd.DataFrame:
    return state.home().store.evaluations.frame(run_ids)


@st.cache_resource(max_entries=8, show_spinner="Bringing results together …")
def _gathered(
    home_path: str, names: tuple[tuple[str, str], ...], version: tuple, place: compare_evidence.Place
) -> Evidence:
    rows = _rows(home_path, tuple(run_id for run_id, _ in names), version)
    return compare_evidence.gather(rows, place, dict(names))


def _offer(runs: Sequence[Run], headline: str) -> None:
    with st.container(border=True):
        st.markdown(f"**{headline}**")
        st.markdown(
            ":gray[An evaluation scores tasks that a run has never seen, before and after adaptation.]"
        )
        if st.button("Evaluate", key="compare.evaluate"):
            run_evaluate.ask(list(runs))


def _tell(gathered: Evidence, runs: Sequence[Run]) -> None:
    """Where the numbers stem from, and what is not among them."""
    place = gathered.place
    st.caption(
        f"{place.role} tasks of the split **{wording.plain(place.split)}** `{place.split_id[:8]}`; "
        "bits per byte, less is better."
        + (" Online track: what is scored goes on learning while it codes." if place.is_online else "")
    )
    absent = [run for run in runs if run.id in gathered.missing]
    if absent:
        names = wording.plain(", ".join(run.name for run in absent))
        _offer(absent, f"No result of {names} on this split and role.")
        st.caption(
            "Results on a split of another content hash are not put beside these: other tasks, other bytes."
        )
    if gathered.seen:
        st.caption(f"{wording.things(gathered.seen, 'task')} left out: seen in training by one of the runs.")
    if gathered.superseded:
        st.caption("Of runs that were evaluated with several adaptations, the latest is shown.")


def control_of(gathered: Evidence, runs: Sequence[Run]) -> str:
    """The name of the series that the others are compared with; only one that has results.

    Unless another is chosen: the pinned baseline, or a run of joint training, which others must beat.
    """
    found = set(gathered.tasks["series"].unique())
    names = [style.name for series, style in gathered.styles.items() if series in found]
    joint = [run.name for run in runs if run.algorithm == "joint"]
    likely = [name for name in (state.choice(baseline.CHOICE), *joint) if name in names]
    return widgets.select(
        "Compared with",
        names,
        "control",
        index=names.index(likely[0]) if likely else 0,
        help=glossary.lines("control", "twin", "baseline"),
    )


def support_size(lines: pd.DataFrame) -> int:
    """One of the support sizes that were evaluated; the largest unless another is chosen."""
    sizes = {f"{size}": bytes_label(size) for size in sorted(lines["support_bytes"].unique(), reverse=True)}
    if len(sizes) == 1:
        return int(next(iter(sizes)))
    told = glossary.TERMS["support set"]
    return int(widgets.select("Support set", list(sizes), "support", format_func=sizes.get, help=told))


def paired(gathered: Evidence, control: str, split: Split | None, by: str) -> None:
    """The table of differences to the series of this name, a line a series, support size and group of tasks.

    by: how tasks are told apart; near and far ones are also where it says nothing.
    """
    series = {style.name: key for key, style in gathered.styles.items()}
    ways = compare_facets.offered(split, set(gathered.tasks["task_id"].unique()))
    if by == compare_facets.ALL and compare_facets.DISTANCE in ways:
        by = compare_facets.DISTANCE
    table = compare_facets.differences(gathered, series[control], split, by)
    if table.empty:
        return
    table = table.copy()
    is_clear = leaves_zero_out(table["low"], table["high"])
    table.insert(table.columns.get_loc("high") + 1, "significant", is_clear)
    st.subheader(f"Paired differences to {wording.plain(control)}")
    st.dataframe(
        table,
        hide_index=True,
        height=table_height(len(table), 20),
        column_config={
            "name": "run",
            "group": evidence_tables.DISTANCE if by == compare_facets.DISTANCE else by,
            "support_bytes": evidence_tables.SUPPORT,
            "difference": st.column_config.NumberColumn(
                format="%+.4f",
                help=f"{gathered.place.measured} minus those of {control}, a mean over tasks; "
                "below zero is better",
            ),
            "low": st.column_config.NumberColumn("95 % from", format="%+.4f"),
            "high": st.column_config.NumberColumn("to", format="%+.4f", help="bootstrap over tasks"),
            "significant": st.column_config.CheckboxColumn(
                help="the interval leaves zero out; of many rows some do so by chance"
            ),
            "median": st.column_config.NumberColumn(format="%+.4f", help="of the tasks' differences"),
            "relative": st.column_config.NumberColumn(
                format="%+.2f %%", help=f"the mean difference as a share of the mean of {control}"
            ),
            "effect_size": st.column_config.NumberColumn("effect size", format="%+.2f", help=_EFFECT),
        },
        placeholder=wording.NOTHING,
        alt=f"Paired differences to {control}",
    )
