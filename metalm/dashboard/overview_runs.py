"""The overview's figures: the machine, the counts, what runs, what came last."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from metalm.dashboard import contents, empty, glossary, messages, queue_list, state, train_watch, wording
from metalm.dashboard.train_watch import ACTIVE
from metalm.jobs.resources import threads_beside_the_app
from metalm.store.run_heads import RunHead
from metalm.store.run_table import RunQuery
from metalm.store.runs import Run

_LATEST = 6


def counts(runs: Sequence[RunHead]) -> None:
    """How much there is of everything, and on what it runs."""
    home = state.home()
    corpora = home.corpora()
    finished = sum(run.status == "finished" for run in runs)
    figures = {
        "Corpora": (wording.count(len(corpora)), wording.size(sum(corpus.bytes for corpus in corpora))),
        "Splits": (wording.count(len(home.splits())), "frozen"),
        "Runs": (wording.count(len(runs)), f"{finished} finished"),
        "Device": device(),
    }
    terms = {"Corpora": "corpus", "Splits": "split", "Runs": "run"}
    for column, (label, (value, told)) in zip(st.columns(len(figures)), figures.items(), strict=True):
        help = glossary.TERMS[terms[label]] if label in terms else "what runs are trained on"
        column.metric(label, value, told, delta_color="off", delta_arrow="off", border=True, help=help)


@st.cache_data(max_entries=1, show_spinner="Looking at the machine …")
def device() -> tuple[str, str]:
    """What `auto` trains on, and with how many threads beside the app."""
    # Here, not above: torch takes seconds to come in.
    from metalm.model.device import describe, pick_device

    found = describe(pick_device("auto"))
    threads = wording.things(threads_beside_the_app(), "thread")
    name = found.name.removeprefix("CPU, ")
    return found.kind.upper(), f"{name}, {wording.size(found.memory_bytes)}, trains on {threads}"


@st.fragment(run_every=3)
def live() -> None:
    """Running and waiting work, and the latest runs."""
    store = state.home().store
    if not store.run_table.count(RunQuery()):
        return
    active = [run for run in store.runs.with_status(*ACTIVE) if not run.archived]
    active = sorted(active, key=lambda run: ACTIVE.index(run.status))
    st.markdown("#### Now")
    if not active and not queue_list.has_evaluations():
        empty.nothing(
            "Nothing runs.",
            "A new run needs a split, an algorithm and a few minutes.",
            page="Train",
            label="Set up a run",
            view="New run",
        )
    for run in active:
        _active(run)
    queue_list.evaluations()
    # Not all runs are read every few seconds: there may be thousands.
    ended = RunQuery(statuses=tuple(status for status in wording.STATUS_COLOURS if status not in ACTIVE))
    latest = [store.runs.get(run_id) for run_id in store.run_table.frame(["id"], ended, limit=_LATEST)["id"]]
    if latest:
        st.markdown("#### Latest runs")
        _latest(latest)


def _active(run: Run) -> None:
    with st.container(border=True):
        left, right = st.columns([5, 1], vertical_alignment="center")
        name, badge = wording.plain(run.name), wording.status_badge(run.status)
        left.markdown(f"**{name}** {badge} :gray[{run.algorithm}]")
        with right:
            contents.link("Train", "Watch", view="Watch", watch=run.name)
        best = "" if run.best_value is None else f" · {run.best_value:.3f} bits per byte"
        st.progress(min(1.0, run.progress), text=train_watch.progress(run) + best)


def _latest(runs: list[Run]) -> None:
    splits = {split.id: split.name for split in state.home().splits()}
    for row in range(0, len(runs), 3):
        for column, run in zip(st.columns(3), runs[row : row + 3], strict=False):
            with column.container(border=True, height="stretch"):
                st.markdown(f"**{wording.plain(run.name)}** {wording.status_badge(run.status)}")
                told = glossary.lines("bits per byte", "tuned")
                st.metric("bits per byte after adaptation", wording.number(run.tuned_value), help=told)
                st.caption(
                    f"{run.algorithm} on {wording.plain(splits.get(run.split_id, 'a foreign split'))} · "
                    f"{wording.count(run.step)} outer steps · {wording.ago(run.finished_at)}"
                )
                if run.error:
                    messages.error(run.error)
                contents.link("Runs", "Open", runs=run.name)
