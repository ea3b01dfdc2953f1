"""The chosen runs task by task: before and after, heat maps, what groups of tasks say, and a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from metalm.dashboard import (
    compare_evidence,
    compare_facets,
    compare_verdict,
    contents,
    evidence_tables,
    state,
    widgets,
    wording,
)
from metalm.dashboard.charts.forest import forest_plot
from metalm.dashboard.charts.frame import bytes_label
from metalm.dashboard.charts.matrices import task_heatmap
from metalm.dashboard.charts.tasks import MAX_TASKS, task_dots, task_dumbbells
from metalm.dashboard.compare_evidence import Evidence
from metalm.dashboard.compare_results import control_of, evidence, paired, support_size
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run
from metalm.text.splits import Split

_TOGETHER = ("Heat map", "Difference", "Forest")  # looks in which tasks can be told apart by their groups


def show(runs: Sequence[Run]) -> None:
    """Each task's scores, where adaptation hurts, and the paired differences to a control."""
    gathered = evidence(runs)
    if gathered is None:
        return
    is_online = gathered.place.is_online
    split = compare_facets.split_of(state.home(), gathered)
    first = "Task by task" if is_online else "Before and after"
    look = widgets.switch("Look", [first, *_TOGETHER, "Table"], "look")
    columns = st.columns(4, vertical_alignment="bottom")
    with columns[0]:
        size = support_size(gathered.tasks)
    with columns[1]:
        control = control_of(gathered, runs)
    with columns[2]:
        by = _grouping(gathered, split) if look in _TOGETHER else compare_facets.ALL
    with columns[3]:
        _open_task(gathered, split)
    _verdicts(gathered, size, split, control)
    if look in ("Heat map", "Difference"):
        _heatmap(gathered, size, compare_facets.groups(split, by), control if look == "Difference" else None)
    elif look == "Forest":
        _forest(gathered, size, split, by, control)
    elif look == "Table":
        lines = compare_evidence.before_after(gathered.tasks, size)
        evidence_tables.every_task(gathered.named(lines), split, online=is_online)
    else:
        _each(gathered, size)
    if not is_online:
        evidence_tables.hurt(gathered.tasks, gathered.named, split)
    paired(gathered, control, split, by)


def _grouping(gathered: Evidence, split: Split | None) -> str:
    """By what tasks are told apart; nothing to choose where they cannot be."""
    ways = compare_facets.offered(split, set(gathered.tasks["task_id"].unique()))
    told = "groups of the corpora that the tasks are cut from; near: of a family or script of meta-train"
    return widgets.select("Tasks by", ways, "by", help=told)


def _open_task(gathered: Evidence, split: Split | None) -> None:
    """A task chosen by name, and the way to its page."""
    names = sorted(gathered.marks["task"])
    if split is None or not names:
        return
    name = widgets.select("One task", names, "one", index=None, placeholder="choose to open its page")
    if name is not None:
        contents.link("Task", f"Open {name}", split=split.name, task=name)


def _verdicts(gathered: Evidence, size: int, split: Split | None, control: str) -> None:
    """The answer before the charts: who is best on all tasks, on near and far ones, and how sure that is."""
    series = {style.name: key for key, style in gathered.styles.items()}
    found = compare_verdict.verdicts(gathered, series[control], size, split)
    if not found:
        return
    ahead = compare_verdict.others_ahead(gathered, size, split)
    with st.container(border=True):
        for each in found:
            told = compare_verdict.words(each, gathered, lambda name: f"**{wording.plain(name)}**")
            where = each.group if each.group == compare_facets.ALL else f"{each.group} tasks"
            st.markdown(f":gray[{where.capitalize()}, {bytes_label(size)} of support:] {told}")
            if each.group in ahead:
                others = _at_sizes(gathered, ahead[each.group])
                st.caption(f"With other support sets another run is ahead: {others}.")
        has_marks = split is not None and any(task.near is not None for task in split.tasks)
        if has_marks and gathered.place.role != "meta-test":
            st.caption("Near and far are told apart among meta-test tasks only.")


def _at_sizes(gathered: Evidence, best: dict[int, str]) -> str:
    """`one run with 512 B, 2 kB; another with 50 kB`."""
    sizes: dict[str, list[str]] = {}
    for size, series in best.items():
        sizes.setdefault(series, []).append(bytes_label(size))
    names = {series: wording.plain(gathered.styles[series].name) for series in sizes}
    return "; ".join(f"{names[series]} with {', '.join(each)}" for series, each in sizes.items())


def _heatmap(gathered: Evidence, size: int, group_of: dict[str, str], control: str | None) -> None:
    """Scores of all series on all tasks; with a control, the differences to it."""
    wide = compare_evidence.wide(gathered, size, index="task_id")
    label = gathered.place.measured
    if control is not None:
        if control not in wide:
            st.info(f"{wording.plain(control)} has no score with this support set.")
            return
        wide = wide.sub(wide[control], axis=0).drop(columns=control)
        label = f"{label}, less those of {control}"
    if wide.empty:
        st.info("Choose a second run: there is nothing to compare with.")
        return
    wide, groups = compare_facets.ordered(wide, group_of)
    names = gathered.marks.set_index("task_id")["task"]
    gaps = compare_facets.missing(wide)
    shown = wide.set_axis([names[task_id] for task_id in wide.index])
    figure = task_heatmap(shown, difference=control is not None, groups=groups)
    chart(figure, key="difference" if control else "heat", label=label, view=f"{control}|{size}|{len(wide)}")
    less = f"{wording.plain(label)}: teal needs fewer bits."
    told = [less if control else "The hardest task comes first, in each group."]
    told += (
        [f"Grey: {wording.count(gaps)} of {wording.things(wide.size, 'cell')} not evaluated."] if gaps else []
    )
    st.caption(" ".join(told))


def _forest(gathered: Evidence, size: int, split: Split | None, by: str, control: str) -> None:
    series = {style.name: key for key, style in gathered.styles.items()}
    lines = compare_facets.forest(gathered, series[control], size, split, by)
    if lines.empty:
        st.info(f"Choose a second run: {wording.plain(control)} has nothing to be compared with.")
        return
    figure = forest_plot(lines, gathered.styles, control=control)
    chart(figure, key="forest", label=f"Mean differences to {control} with 95 % intervals", view=control)
    st.caption(
        "Mean difference over the tasks that both have, with its 95 % bootstrap interval over tasks. "
        "Filled: the interval leaves zero out. Of many groups a few do so by chance alone; groups of few "
        "tasks say little."
    )


def _each(gathered: Evidence, size: int) -> None:
    """A row a task: its way from before to after, or its one score."""
    if gathered.place.is_online:
        dots = gathered.named(compare_evidence.scores(gathered.tasks, size))
        chart(task_dots(dots, gathered.styles), key="dots", label=f"{gathered.place.measured}, task by task")
        _tell_cut(dots, "with the highest cost")
    else:
        table = gathered.named(compare_evidence.before_after(gathered.tasks, size))
        label = "Tasks before and after adaptation"
        chart(task_dumbbells(table, gathered.styles), key="dumbbells", label=label)
        _tell_cut(table, "that adaptation helped most")


def _tell_cut(lines: pd.DataFrame, which: str) -> None:
    num = lines["task_id"].nunique()
    if num > MAX_TASKS:
        st.caption(
            f"The {MAX_TASKS} of {wording.things(num, 'task')} {which}. The heat map and the table have all."
        )
