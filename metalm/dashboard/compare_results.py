"""Evaluations of the chosen runs: task by task before and after adaptation, and paired differences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import compare_evidence, run_evaluate, state, wording
from metalm.dashboard.charts.adaptation import adaptation_curves, task_dumbbells
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.charts.matrices import task_heatmap
from metalm.dashboard.compare_evidence import Evidence
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run

_NUMBER = st.column_config.NumberColumn(format="%.3f")
_CHANGE = st.column_config.NumberColumn(format="%+.3f")


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
        + (" Online track: the weights go on learning while they code." if place.track == "online" else "")
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
    """Before and after adaptation, task by task; then the paired differences to a control."""
    gathered = evidence(runs)
    if gathered is None:
        return
    left, middle, right = st.columns([1, 2, 3], vertical_alignment="bottom")
    with left:
        size = _support_size(gathered.tasks)
    with middle:
        control = _control(gathered)
    with right:
        look = state.switch("Look", ["Before and after", "Heat map", "Difference", "Table"], "look")
    table = gathered.named(compare_evidence.before_after(gathered.tasks, size))
    if look == "Before and after":
        chart(
            task_dumbbells(table, gathered.styles), key="dumbbells", label="Tasks before and after adaptation"
        )
    elif look == "Heat map":
        chart(task_heatmap(_wide(table, gathered)), key="heat", label="Bits per byte after adaptation")
    elif look == "Difference":
        wide = _wide(table, gathered)
        change = wide.sub(wide[control], axis=0).drop(columns=control)
        label = f"Bits per byte after adaptation, less those of {control}"
        chart(task_heatmap(change, difference=True), key="difference", label=label)
        st.caption(f"{label}: teal needs fewer bits.")
    else:
        _table(table)
    _paired(gathered, control)


def _control(gathered: Evidence) -> str:
    """The name of the series that the others are compared with; only one that has results."""
    found = set(gathered.tasks["series"])
    names = [style.name for series, style in gathered.styles.items() if series in found]
    return state.select("Compared with", names, "control")


def _support_size(lines: pd.DataFrame) -> int:
    sizes = {f"{size}": bytes_label(size) for size in sorted(lines["support_bytes"].unique(), reverse=True)}
    if len(sizes) == 1:
        return int(next(iter(sizes)))
    return int(state.select("Support set", list(sizes), "support", format_func=sizes.get))


def _wide(table: pd.DataFrame, gathered: Evidence) -> pd.DataFrame:
    """Tasks x series after adaptation, the hardest task first, series in the order of choice."""
    order = [style.name for style in gathered.styles.values()]
    wide = table.pivot_table(index="task", columns="name", values="after")
    wide = wide[[name for name in order if name in wide]]
    return wide.loc[wide.mean(axis=1).sort_values(ascending=False).index]


def _table(table: pd.DataFrame) -> None:
    marks = table["near"].astype("boolean")
    shown = table.assign(distance=marks.map({True: "near", False: "far"}).fillna(""))
    st.dataframe(
        shown[["task", "distance", "name", "before", "after", "saved"]].sort_values(["task", "after"]),
        hide_index=True,
        column_config={
            "name": "run",
            "distance": st.column_config.TextColumn("near or far", help="of the meta-train tasks"),
            "before": _NUMBER,
            "after": _NUMBER,
            "saved": _CHANGE,
        },
        alt="Bits per byte of each task and run before and after adaptation",
    )


def _paired(gathered: Evidence, control: str) -> None:
    series = {style.name: key for key, style in gathered.styles.items()}
    table = compare_evidence.differences(gathered, series[control])
    if table.empty:
        return
    st.subheader(f"Paired differences to {control}")
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "name": "run",
            "support_bytes": st.column_config.NumberColumn("support bytes", format="localized"),
            "difference": st.column_config.NumberColumn(
                format="%+.4f",
                help=f"bits per byte after adaptation minus those of {control}; below zero is better",
            ),
            "low": st.column_config.NumberColumn("95 % from", format="%+.4f"),
            "high": st.column_config.NumberColumn("to", format="%+.4f", help="bootstrap over tasks"),
            "relative": st.column_config.NumberColumn("relative", format="%+.2f %%"),
        },
        alt=f"Paired differences to {control}",
    )


def adaptation(runs: Sequence[Run]) -> None:
    """Means over tasks, over adaptation steps and over support bytes."""
    gathered = evidence(runs)
    if gathered is None:
        return
    size = _support_size(gathered.tasks)
    left, right = st.columns(2)
    with right:
        st.markdown("**Over support bytes, after the last step**")
        by_size = compare_evidence.over_support(gathered.tasks)
        chart(
            adaptation_curves(by_size, gathered.styles, "support_bytes"),
            key="sizes",
            label="Over support bytes",
        )
    with left:
        st.markdown(f"**Over adaptation steps, {bytes_label(size)} of support**")
        by_step = compare_evidence.over_steps(gathered.tasks, size)
        chart(adaptation_curves(by_step, gathered.styles, "adaptation_step"), key="steps", label="Over steps")
    st.caption("Means over the tasks that all have; the band is the 95 % bootstrap interval over tasks.")
