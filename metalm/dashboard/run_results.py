"""The evaluations of one run: means over tasks with their intervals, and every task."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from metalm.dashboard import palette, state, wording
from metalm.dashboard.charts.adaptation import adaptation_curves
from metalm.dashboard.components.chart import chart
from metalm.evaluate import statistics
from metalm.store.runs import Run


def show(run: Run) -> None:
    """Results of `run`, one split and role at a time; drawn anew while an evaluation of it runs."""
    busy = [
        job
        for job in (*state.jobs().running(), *state.jobs().queue())
        if run.id in job.payload.get("runs", ())
    ]
    if busy:
        st.fragment(run_every=3)(_results)(run, True)
    else:
        _results(run, False)


def _results(run: Run, is_live: bool) -> None:
    rows = state.home().evaluations([run.id])
    rows = rows[(rows["run_id"] == run.id) & (rows["method"] == "adapt")]  # without those of baselines
    if is_live:
        st.info("An evaluation of this run is in the queue or running; numbers come in as they are measured.")
    if rows.empty:
        if not is_live:
            st.info("Not evaluated yet. Press Evaluate above: it scores tasks that the run has never seen.")
        return
    rows, split, role = _one_place(rows)
    seen = rows[rows["seen"]]["task_id"].nunique()
    tasks = statistics.by_task(rows.assign(series=run.id))
    if tasks.empty:
        st.info("The run has seen every task that was evaluated, so there is no mean.")
        return
    st.caption(
        f"{role} tasks of {split}; bits per byte, less is better. The band is the 95 % interval over tasks."
        + (f" {wording.things(seen, 'task')} that the run has seen left out." if seen else "")
    )
    _charts(run, tasks)
    _table(tasks, split)


def _one_place(rows: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """The rows of one split and role, chosen where there are several."""
    names = {split.id: split.name for split in state.home().splits()}
    places = {
        f"{names.get(split_id, split_id)} · {role}": (split_id, role)
        for split_id, role in rows[["split_id", "role"]].drop_duplicates().itertuples(index=False)
    }
    chosen = state.switch("Evaluated on", list(places), "place") if len(places) > 1 else next(iter(places))
    split_id, role = places[chosen]
    return rows[(rows["split_id"] == split_id) & (rows["role"] == role)], names.get(split_id, split_id), role


def _charts(run: Run, tasks: pd.DataFrame) -> None:
    styles = palette.run_styles({run.id: run.name})
    left, right = st.columns(2)
    with left:
        st.markdown("**Over support bytes, after the last step**")
        by_size = statistics.summary(statistics.balanced(statistics.at_last_step(tasks)))
        chart(
            adaptation_curves(by_size, styles, "support_bytes"),
            key="by size",
            label="Bits per byte over support bytes",
        )
    with right:
        st.markdown("**Over adaptation steps, with the largest support set**")
        largest = tasks[tasks["support_bytes"] == tasks["support_bytes"].max()]
        by_step = statistics.summary(statistics.balanced(largest))
        chart(
            adaptation_curves(by_step, styles, "adaptation_step"),
            key="by step",
            label="Bits per byte over adaptation steps",
        )


def _table(tasks: pd.DataFrame, split: str) -> None:
    """Each task before and after adaptation, at each support size."""
    known = {t.task.id: t for t in state.home().split(split).tasks}
    marks = {True: "near", False: "far", None: ""}
    before = tasks[tasks["adaptation_step"] == 0].set_index(["task_id", "support_bytes"])["value"]
    after = statistics.at_last_step(tasks).set_index(["task_id", "support_bytes"])["value"]
    table = pd.DataFrame({"before": before, "after": after}).reset_index()
    table["saved"] = table["before"] - table["after"]
    table.insert(0, "task", [known[id].task.name if id in known else id for id in table["task_id"]])
    table.insert(1, "near or far", [marks[known[id].near] if id in known else "" for id in table["task_id"]])
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        table.drop(columns="task_id"),
        hide_index=True,
        column_config={
            "support_bytes": st.column_config.NumberColumn("support bytes", format="localized"),
            "before": number,
            "after": number,
            "saved": st.column_config.NumberColumn(
                format="%+.3f", help="bits per byte that adaptation saved"
            ),
        },
        alt="Bits per byte of each task before and after adaptation",
    )
