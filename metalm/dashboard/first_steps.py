"""What a newcomer does first, each step ticked off once it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from metalm.dashboard import contents, sample_runs, state
from metalm.store.run_heads import RunHead


@dataclass(frozen=True)
class _Step:
    headline: str
    advice: str
    page: str
    label: str
    view: str = ""
    runs: Sequence[str] = field(default=())


_TEXTS = _Step(
    "Look at the texts",
    "Samples are here already; add your own.",
    "Corpora",
    "Open the corpora",
    "All corpora",
)
_SPLIT = _Step(
    "Choose a split",
    "Which tasks are learned from, chosen by and judged on.",
    "Tasks",
    "Open the splits",
    "Splits",
)
_TRAIN = _Step("Train a run", "Launch one and watch its curves.", "Train", "Set up a run", "New run")
_ADAPT = _Step(
    "Adapt it", "See each character's bits fall on a text that it has never seen.", "Adapt", "Adapt to a text"
)


def show(runs: Sequence[RunHead]) -> None:
    """The steps as cards, until the first run that was trained here has finished."""
    if any(run.status == "finished" for run in runs if not sample_runs.are_all([run])):
        return
    home = state.home()
    steps = [(_TEXTS, bool(home.corpora())), (_SPLIT, bool(home.splits())), (_TRAIN, False)]
    if shipped := sample_runs.of(runs):
        steps.insert(0, (_try(shipped), bool(home.store.adaptations.all())))
    else:
        steps.append((_ADAPT, False))
    st.markdown("#### First steps")
    for i, (column, (step, done)) in enumerate(zip(st.columns(len(steps)), steps, strict=True)):
        with column.container(border=True, height="stretch"):
            mark = ":green[:material/check_circle:]" if done else f":gray[{i + 1}]"
            st.markdown(f"{mark} **{step.headline}**  \n:gray[{step.advice}]")
            contents.link(step.page, step.label, view=step.view, runs=list(step.runs))


def _try(shipped: Sequence[RunHead]) -> _Step:
    names = [run.name for run in shipped]
    advice = f"Here already: {' and '.join(names)}. See them adapt to a language they have never seen."
    return _Step("Try a trained model", advice, "Adapt", "Adapt to a text", runs=names)
