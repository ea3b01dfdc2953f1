"""The evaluations of one run, a track at a time: means with their intervals, medians, and every task."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from metalm.dashboard import evidence_tables, job_progress, messages, palette, state, widgets, wording
from metalm.dashboard.charts.adaptation import adaptation_curves
from metalm.dashboard.compare_evidence import OWN_METHODS
from metalm.dashboard.components.chart import chart
from metalm.dashboard.palette import RunStyle
from metalm.evaluate import statistics
from metalm.store.runs import Run
from metalm.text.splits import Split


def show(run: Run) -> None:
    """Results of `run`, one split and role at a time; drawn anew while an evaluation of it runs."""
    if job_progress.evaluations([run.id]):
        st.fragment(run_every=3)(_results)(run, True)
    else:
        _results(run, False)


def _results(run: Run, is_live: bool) -> None:
    rows = state.home().evaluations([run.id])
    rows = rows[(rows["run_id"] == run.id) & rows["method"].isin(OWN_METHODS)]  # without those of baselines
    if is_live:
        jobs = job_progress.evaluations([run.id])
        if not jobs:
            st.rerun()  # the whole page: nothing more will come
        messages.show_notices()
        job_progress.show(jobs)
        st.caption("Numbers come in as they are measured.")
    if rows.empty:
        if not is_live:
            st.info("Not evaluated yet. Press Evaluate above: it scores tasks that the run has never seen.")
        return
    rows, split, role = _one_place(rows)
    seen = rows[rows["seen"]]["task_id"].nunique()
    st.caption(
        f"{role} tasks of {split}; bits per byte, less is better. The band is the 95 % interval over tasks."
        + (f" {wording.things(seen, 'task')} that the run has seen left out." if seen else "")
    )
    tracks = {track: rows[rows["track"] == track] for track in ("static", "online")}
    if not tracks["static"].empty:
        _static(run, tracks["static"], state.home().split(split))
    if not tracks["online"].empty:
        _online(run, tracks["online"], state.home().split(split))


def _one_place(rows: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """The rows of one split and role, chosen where there are several; meta-test comes last."""
    names = {split.id: split.name for split in state.home().splits()}
    found = rows[["split_id", "role"]].drop_duplicates().itertuples(index=False)
    places = {
        f"{names.get(split_id, split_id)} · {role}": (split_id, role)
        for split_id, role in sorted(found, key=lambda place: place.role == "meta-test")
    }
    chosen = widgets.switch("Evaluated on", list(places), "place") if len(places) > 1 else next(iter(places))
    split_id, role = places[chosen]
    return rows[(rows["split_id"] == split_id) & (rows["role"] == role)], names.get(split_id, split_id), role


def _tasks(run: Run, rows: pd.DataFrame) -> pd.DataFrame | None:
    """Lines of `statistics.by_task`; None, and why, when the run has seen all that was evaluated."""
    tasks = statistics.by_task(rows.assign(series=run.id))
    if tasks.empty:
        st.info("The run has seen every task that was evaluated, so there is no mean.")
        return None
    return tasks


def _static(run: Run, rows: pd.DataFrame, split: Split) -> None:
    """Before and after adaptation, with the weights frozen from then on."""
    tasks = _tasks(run, rows)
    if tasks is None:
        return
    left, right = st.columns(2)
    with left:
        means = _over_support(run, tasks, "Over support bytes, after the last step")
    with right:
        st.markdown("**Over adaptation steps, with the largest support set**")
        largest = tasks[tasks["support_bytes"] == tasks["support_bytes"].max()]
        by_step = statistics.summary(statistics.balanced(largest))
        figure = adaptation_curves(by_step, _styles(run), "adaptation_step")
        chart(figure, key="by step", label="Bits per byte over adaptation steps")
    evidence_tables.means(means)
    named = partial(_named, split=split)
    evidence_tables.hurt(tasks, named, split)
    st.markdown("**Every task**")
    evidence_tables.every_task(named(statistics.before_after(tasks)), split, online=False)


def _online(run: Run, rows: pd.DataFrame, split: Split) -> None:
    """What the run costs while it goes on learning: numbers of their own, on a chart of their own."""
    st.subheader("Online track", anchor=False)
    st.caption(
        "Dynamic evaluation: the weights go on learning while they code the query set. Such numbers stand "
        "beside those of compressors (on Compare), never beside those of the static track."
    )
    tasks = _tasks(run, rows)
    if tasks is None:
        return
    means = _over_support(run, tasks, "Over support bytes, learning while coding")
    evidence_tables.means(means)
    st.markdown("**Every task**")
    evidence_tables.every_task(_named(statistics.before_after(tasks), split), split, online=True)


def _over_support(run: Run, tasks: pd.DataFrame, title: str) -> pd.DataFrame:
    """Draws the means by support size, and gives them."""
    st.markdown(f"**{title}**")
    means = statistics.summary(statistics.balanced(statistics.at_last_step(tasks)))
    chart(adaptation_curves(means, _styles(run), "support_bytes"), key=title, label=f"Bits per byte: {title}")
    return means


def _styles(run: Run) -> dict[str, RunStyle]:
    return palette.run_styles({run.id: run.name})


def _named(lines: pd.DataFrame, split: Split) -> pd.DataFrame:
    """`lines` with each task's name and its mark, near or far."""
    known = {t.task.id: t for t in split.tasks}
    found = [known.get(task_id) for task_id in lines["task_id"]]
    names = [t.task.name if t else task_id for t, task_id in zip(found, lines["task_id"], strict=True)]
    return lines.assign(task=names, near=[t.near if t else None for t in found])
