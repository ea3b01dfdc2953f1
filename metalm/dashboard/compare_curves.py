"""Learning curves of the chosen runs; drawn anew while one of them trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from metalm.dashboard import (
    baseline,
    compare_runs,
    curve_controls,
    curve_data,
    run_group_curves,
    run_groups,
    state,
    widgets,
)
from metalm.dashboard.charts.curve_differences import curve_differences
from metalm.dashboard.charts.curves import learning_curves
from metalm.dashboard.charts.lines import CurveView
from metalm.dashboard.components.chart import chart
from metalm.store.runs import Run

_PARTS = ["validation", "query", "support"]
_ALL_TASKS = "all tasks together"
_RUNS, _GROUPS, _LESS = "runs", "groups of seeds", "less the baseline"
_LESS_HELP = (
    "runs: each its own line. groups of seeds: mean and standard deviation over the chosen runs that differ "
    "in their seed alone. less the baseline: differences to the run that is pinned as baseline on Runs."
)


@dataclass(frozen=True)
class _Asked:
    """What of the runs is drawn. task: its name; None for all together."""

    parts: tuple[str, ...]
    task_id: str | None
    task: str | None
    baselines: bool
    shown: str

    @property
    def words(self) -> str:
        return f"on {self.task}" if self.task else "over all tasks"


def show(runs: Sequence[Run]) -> None:
    """Controls and curves."""
    asked = _choose(runs)
    view = curve_controls.choose(runs, has_unit=asked.shown == _RUNS)
    is_live = any(run.status in ("queued", "running") for run in runs)
    st.fragment(run_every=3 if is_live else None)(_curves)([run.id for run in runs], asked, view)


def _choose(runs: Sequence[Run]) -> _Asked:
    first, left, middle, right = st.columns([2, 3, 2, 1.2], vertical_alignment="bottom")
    with first:
        ways = [_RUNS, _GROUPS, *([_LESS] if baseline.run() else [])]
        shown = widgets.select("Lines", ways, "lines", help=_LESS_HELP)
    with left:
        parts = widgets.pills(
            "Parts",
            _PARTS,
            "parts",
            default=_PARTS[:2],
            help="validation: meta-validation tasks after adaptation; query: what the outer loop learns "
            "from; support: what adaptation learns from",
        )
    tasks = _tasks(runs)
    with middle:
        task = widgets.select(
            "Task", [_ALL_TASKS, *tasks], "curve_task", help="one task's losses, or their sum"
        )
    with right:
        baselines = widgets.flag(
            "Baselines", "references", help="level lines: what baselines score on meta-validation, evaluated"
        )
    return _Asked(
        tuple(parts), tasks.get(task), task if task in tasks else None, baselines=baselines, shown=shown
    )


def _tasks(runs: Sequence[Run]) -> dict[str, str]:
    """Name -> id of the tasks that these runs meet in training, those of meta-validation first."""
    found: dict[str, str] = {}
    known = state.home().store.splits.names()  # the split of an imported run may be elsewhere
    for role in ("meta-validation", "meta-train"):
        for split_id in dict.fromkeys(run.split_id for run in runs if run.split_id in known):
            members = state.home().split(split_id).tasks
            found |= {each.task.name: each.task.id for each in members if each.role == role}
    return found


def _curves(run_ids: Sequence[str], asked: _Asked, view: CurveView) -> None:
    home = state.home()
    runs = home.store.runs.these(run_ids)
    if asked.shown != _RUNS:
        _brought_together(runs, asked, view)
        return
    name, metrics = f"seen.{view.x}", home.store.metrics
    seen = state.looked_at(name)
    curve = curve_data.gather(metrics, run_ids, asked.parts, view.x, task_id=asked.task_id, within=seen)
    curve_controls.tell_uncounted(runs, curve, view)
    if curve.empty:
        st.info(
            "No points yet: the first come after the first outer step, and validation after its first turn."
        )
        return
    vocabularies = {run.id: vocabulary(run) for run in runs}
    by_token = view.unit in ("perplexity", "nats per token")
    if by_token and len(set(vocabularies.values())) > 1:
        st.info(
            f"{view.unit.capitalize()} counts tokens, and these runs have different vocabularies: their "
            "numbers are on plots of their own. Bits per byte compares them all."
        )
    chart(
        learning_curves(
            curve,
            compare_runs.styles(runs),
            view,
            vocabularies,
            references=_references(runs, asked) if asked.baselines and not by_token else None,
            lost=curve_data.lost(metrics, curve, home.store.splits.task_names()),
        ),
        key="compare.curves",
        label=f"Learning curves of {', '.join(run.name for run in runs)} in {view.unit}, {asked.words}",
        view=f"{view}|{asked}",
        look=partial(state.look_at, name),
        seen=seen,
        group="curves",
    )
    st.caption(curve_data.told(curve))
    _exports({run.id: run.name for run in runs}, asked, view, seen)


def _brought_together(runs: Sequence[Run], asked: _Asked, view: CurveView) -> None:
    """Groups, or differences to the baseline: a chart a part, in bits per byte."""
    pinned = baseline.run()
    drawn = [*runs, *([pinned] if pinned and pinned.id not in {run.id for run in runs} else [])]
    ids, metrics = [run.id for run in drawn], state.home().store.metrics
    name, styles = f"seen.{view.x}", compare_runs.styles(drawn)
    seen = state.looked_at(name)
    for part in asked.parts:
        curve = curve_data.gather(metrics, ids, [part], view.x, task_id=asked.task_id, within=seen)
        if asked.shown == _GROUPS:
            own = curve[curve["run"].isin([run.id for run in runs])]
            figure = run_group_curves.figure(own, runs, run_groups.Ways(), view)
            told = "mean and one standard deviation over the chosen runs of a group"
        else:
            figure = curve_differences(curve, pinned.id, styles, view)
            told = f"less those of {pinned.name}; below zero a run needs fewer bits"
        st.markdown(f"**{part.capitalize()}** :gray[{asked.words}: {told}]")
        chart(
            figure,
            key=f"compare.{asked.shown}.{part}",
            label=f"Bits per byte of {', '.join(run.name for run in runs)}, {part}, {asked.words}: {told}",
            view=f"{view}|{asked}",
            look=partial(state.look_at, name),
            seen=seen,
            group="curves",
        )


def _references(runs: Sequence[Run], asked: _Asked):
    """Baselines of the split, said in words where there are none."""
    rows = state.home().store.evaluations.frame(
        [run.id for run in runs], split_id=runs[0].split_id, role="meta-validation"
    )
    found = curve_data.references(rows, runs, asked.task_id)
    if found.empty:
        st.info(
            "No baseline to draw: evaluate these runs on meta-validation with their baselines; runs must "
            "share their split and the support size of meta-validation."
        )
        return None
    return found


def _exports(names: dict[str, str], asked: _Asked, view: CurveView, seen: tuple[float, float] | None) -> None:
    """Every report of what is shown, as files; the chart's own buttons save it as an image."""
    metrics = state.home().store.metrics
    what = "of the range shown" if seen else "of the whole curves"
    with st.container(horizontal=True):
        for kind, label in (("csv", "CSV"), ("parquet", "Parquet")):
            write = partial(
                curve_data.exported,
                metrics,
                names,
                asked.parts,
                kind,
                x=view.x,
                task_id=asked.task_id,
                within=seen,
            )
            st.download_button(
                label,
                write,
                file_name=f"curves.{kind}",
                key=f"curves.{kind}",
                icon=":material/download:",
                on_click="ignore",
                help=f"every report {what}, not only the points drawn; PNG and SVG: the chart's upper right",
            )


def vocabulary(run: Run) -> str:
    """What the tokens of a run are, in words: `bytes`, or the kind with the start of its hash."""
    kind = run.config["tokenizer"]["kind"]
    return kind if kind == "bytes" else f"{kind} {run.tokenizer[:6]}".strip()
