"""Evaluations of the chosen runs: task by task, where adaptation hurts, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import compare_evidence, evidence_tables, run_evaluate, state, wording
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.charts.matrices import task_heatmap
from metalm.dashboard.charts.tasks import task_dots, task_dumbbells
from metalm.dashboard.compare_evidence import Evidence
from metalm.dashboard.components.chart import chart
from metalm.dashboard.table_height import table_height
from metalm.store.runs import Run

_EFFECT = (
    "Cohen's d_z: the mean difference over the standard deviation of the tasks' differences. Below zero is "
    "better. 0.2 either way is small, 0.5 medium, 0.8 large: it says how much the tasks agree, not how many "
    "bits it is. Of a few tasks it is a rough guess."
)


def evidence(runs: Sequence[Run]) -> Evidence | None:
    """What was measured of `runs` at the place that is chosen; None, and a way out, when nothing was."""
    rows = state.home().evaluations([run.id for run in runs])
    names = {run.id: run.name for run in runs}
    found = {str(place): place for place in compare_evidence.places(rows, list(names))}
    if not found:
        _offer(runs, "None of these runs was evaluated yet.")
        return None
    chosen = state.select("Evaluated on", list(found), "place") if len(found) > 1 else next(iter(found))
    gathered = compare_evidence.gather(rows, found[chosen], names)
    _tell(gathered, runs)
    if gathered.tasks.empty:
        st.warning("The runs have seen every task that was evaluated here, so there is nothing to compare.")
        return None
    return gathered


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
        f"{place.role} tasks of the split **{place.split}** `{place.split_id[:8]}`; bits per byte, "
        "less is better."
        + (" Online track: what is scored goes on learning while it codes." if place.is_online else "")
    )
    absent = [run for run in runs if run.id in gathered.missing]
    if absent:
        names = ", ".join(f"**{run.name}**" for run in absent)
        _offer(absent, f"No result of {names.replace('**', '')} on this split and role.")
        st.caption(
            "Results on a split of another content hash are not put beside these: other tasks, other bytes."
        )
    if not gathered.left_out.empty:
        out = gathered.left_out
        seen = out[out["reason"] == "seen in training"]["task_id"].nunique()
        if seen:
            st.caption(f"{wording.things(seen, 'task')} left out: seen in training by one of the runs.")
    if gathered.superseded:
        st.caption("Of runs that were evaluated with several adaptations, the latest is shown.")


def tasks(runs: Sequence[Run]) -> None:
    """Each task's scores, where adaptation hurts, and the paired differences to a control."""
    gathered = evidence(runs)
    if gathered is None:
        return
    is_online = gathered.place.is_online
    left, middle, right = st.columns([1, 2, 3], vertical_alignment="bottom")
    with left:
        size = support_size(gathered.tasks)
    with middle:
        control = _control(gathered)
    with right:
        first = "Task by task" if is_online else "Before and after"
        look = state.switch("Look", [first, "Heat map", "Difference", "Table"], "look")
    if look == "Heat map":
        wide = compare_evidence.wide(gathered, size)
        chart(task_heatmap(wide), key="heat", label=gathered.place.measured)
    elif look == "Difference":
        wide = compare_evidence.wide(gathered, size)
        if control not in wide:
            st.info(f"{control} has no score with this support set.")
            return
        change = wide.sub(wide[control], axis=0).drop(columns=control)
        label = f"{gathered.place.measured}, less those of {control}"
        chart(task_heatmap(change, difference=True), key="difference", label=label)
        st.caption(f"{label}: teal needs fewer bits.")
    elif look == "Table":
        lines = compare_evidence.before_after(gathered.tasks, size)
        evidence_tables.every_task(gathered.named(lines), online=is_online)
    elif is_online:
        dots = gathered.named(compare_evidence.scores(gathered.tasks, size))
        chart(task_dots(dots, gathered.styles), key="dots", label=f"{gathered.place.measured}, task by task")
    else:
        table = gathered.named(compare_evidence.before_after(gathered.tasks, size))
        label = "Tasks before and after adaptation"
        chart(task_dumbbells(table, gathered.styles), key="dumbbells", label=label)
    if not is_online:
        evidence_tables.hurt(gathered.tasks, gathered.named)
    _paired(gathered, control)


def _control(gathered: Evidence) -> str:
    """The name of the series that the others are compared with; only one that has results."""
    found = set(gathered.tasks["series"])
    names = [style.name for series, style in gathered.styles.items() if series in found]
    return state.select("Compared with", names, "control")


def support_size(lines: pd.DataFrame) -> int:
    """One of the support sizes that were evaluated; the largest unless another is chosen."""
    sizes = {f"{size}": bytes_label(size) for size in sorted(lines["support_bytes"].unique(), reverse=True)}
    if len(sizes) == 1:
        return int(next(iter(sizes)))
    return int(state.select("Support set", list(sizes), "support", format_func=sizes.get))


def _paired(gathered: Evidence, control: str) -> None:
    series = {style.name: key for key, style in gathered.styles.items()}
    table = compare_evidence.differences(gathered, series[control])
    if table.empty:
        return
    st.subheader(f"Paired differences to {control}")
    st.dataframe(
        table,
        hide_index=True,
        height=table_height(len(table), 20),
        column_config={
            "name": "run",
            "support_bytes": evidence_tables.SUPPORT,
            "difference": st.column_config.NumberColumn(
                format="%+.4f",
                help=f"{gathered.place.measured} minus those of {control}, a mean over tasks; "
                "below zero is better",
            ),
            "low": st.column_config.NumberColumn("95 % from", format="%+.4f"),
            "high": st.column_config.NumberColumn("to", format="%+.4f", help="bootstrap over tasks"),
            "median": st.column_config.NumberColumn(format="%+.4f", help="of the tasks' differences"),
            "relative": st.column_config.NumberColumn(
                format="%+.2f %%", help=f"the mean difference as a share of the mean of {control}"
            ),
            "effect_size": st.column_config.NumberColumn("effect size", format="%+.2f", help=_EFFECT),
        },
        placeholder=wording.NOTHING,
        alt=f"Paired differences to {control}",
    )
