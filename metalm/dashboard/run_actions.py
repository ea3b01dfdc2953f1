"""What can be done with the selected runs: stop, resume, extend, clone, change, archive, delete, export."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import streamlit as st

from metalm.config import Joint, run_config
from metalm.dashboard import (
    baseline,
    contents,
    messages,
    run_bin,
    run_evaluate,
    run_sharing,
    state,
    train_settings,
    wording,
)
from metalm.dashboard.adapt_run import is_ready
from metalm.dashboard.train_watch import ACTIVE
from metalm.sharing.trackers import folder_names
from metalm.store.runs import Run


def show(runs: list[Run]) -> None:
    """A row of buttons for one run or several; each is there when all of them allow it."""
    jobs, home = state.jobs(), state.home()
    if len(runs) > 1:
        st.subheader(wording.things(len(runs), "run"), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        contents.link("Compare", "Compare", runs=[run.name for run in runs])
        if any(run.status in ACTIVE for run in runs):
            active = [run for run in runs if run.status in ACTIVE]
            _act("Stop", "stop", active, jobs.stop, "stopping")
        elif all(home.resumable(run) for run in runs):
            _act("Resume", "play_arrow", runs, jobs.resume, "in the queue")
        if all(is_ready(run) for run in runs):
            _button("Evaluate", "analytics", lambda: run_evaluate.ask(runs))
        _button("Tag", "label", lambda: _tag(runs))
        if len(runs) == 1:
            _for_one(runs[0])
        if any(run.step > 0 for run in runs):
            run_sharing.send(runs)
        if all(run.status not in ACTIVE for run in runs):
            _for_idle(runs)


def _for_one(run: Run) -> None:
    _button("Edit", "edit", lambda: _edit(run))
    if state.choice(baseline.CHOICE) != run.name:
        help = "The run that others are measured against, here and where runs are compared."
        pin = {"on_click": baseline.pin, "args": (run.name,), "help": help}
        st.button("Baseline", icon=":material/keep:", key="run.Baseline", **pin)
    if not run.is_foreign and st.button("Clone", icon=":material/content_copy:"):
        _prepare_clone(run)  # no callback: what it has to tell is for the page that opens
        st.switch_page(contents.PAGES["Train"].file)
    if run.status == "finished":
        _button("Extend", "more_time", lambda: _extend(run))
        if run.algorithm != Joint.name:
            st.button(
                "Twin",
                icon=":material/balance:",
                key="run.Twin",
                on_click=_each,
                args=([run], _train_twin, "its twin is in the queue"),
                help="Trains its equal-compute control: joint training from the same start, for as many "
                "token-gradient evaluations. A gain over it is a gain of meta-learning.",
            )
        st.download_button(
            "Export",
            lambda: bundle(run),
            f"{run.name}.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/download:",
            help="A run bundle: settings, split, weights, curves, results.",
        )


def _for_idle(runs: list[Run]) -> None:
    if all(run.archived for run in runs):
        ids = [run.id for run in runs]
        look = {"icon": ":material/unarchive:", "key": "run.Bring back"}
        st.button("Bring back", on_click=run_bin.bring_back, args=(ids,), **look)
    else:
        look = {"icon": ":material/archive:", "key": "run.Archive"}
        st.button("Archive", on_click=run_bin.archive, args=(runs,), **look)
    st.button("Delete", icon=":material/delete:", key="run.Delete", on_click=run_bin.discard, args=(runs,))


def _button(label: str, icon: str, open_dialog: Callable[[], None]) -> None:
    if st.button(label, icon=f":material/{icon}:", key=f"run.{label}"):
        open_dialog()


def _act(label: str, icon: str, runs: list[Run], action: Callable[[str], object], done: str) -> None:
    callback = {"on_click": _each, "args": (runs, action, done)}
    st.button(label, icon=f":material/{icon}:", key=f"run.{label}", **callback)


def _each(runs: list[Run], action: Callable[[str], object], done: str) -> None:
    """The action on every run; one that fails is told and does not keep the others from it."""
    for run in runs:

        def one(run: Run = run) -> str:
            action(run.id)
            return f"{run.name}: {done}."

        state.attempt(one)


def _train_twin(run_id: str) -> None:
    state.jobs().train(state.home().create_twin(run_id).id)


def _prepare_clone(run: Run) -> None:
    """Make the Train page show the run's settings."""
    config = run_config(run.config)
    parent = state.home().parent_of(run)
    if run.parent and parent is None:
        messages.notice(f"The run that {run.name} started from is not in this home.", "error")
    chosen = {
        **train_settings.choices_of(config),
        "init": parent.name if parent else None,
        "split": state.home().split(run.split_id).name,
        "view": None,
    }
    state.choose_all(chosen)


def bundle(run: Run) -> bytes:
    """The run's bundle as a zip file."""
    packed = BytesIO()
    with tempfile.TemporaryDirectory(prefix="metalm-export-") as folder:
        path = state.home().export_run(run.id, Path(folder) / "bundle")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path.rglob("*")):
                archive.write(file, Path(*folder_names([run.name])) / file.relative_to(path))
    return packed.getvalue()


@st.dialog("Edit run")
def _edit(run: Run) -> None:
    known = state.home().store.run_table.tags()
    with st.form("edit run", border=False):
        st.text_input("Name", run.name, key="run.name")
        new = "choose or type a new one"
        st.multiselect(
            "Tags", known, list(run.tags), key="run.tags", accept_new_options=True, placeholder=new
        )
        st.text_area("Notes", run.notes, key="run.notes", help="Markdown is shown as such.")
        if st.form_submit_button("Save", type="primary", on_click=_edit_now, args=(run,)):
            st.rerun()


def _edit_now(run: Run) -> None:
    name = state.entered("run.name").strip()

    def action() -> str:
        home = state.home()
        if name != run.name:
            home.rename_run(run.id, name)
        home.set_tags(run.id, state.entered("run.tags"))
        home.set_notes(run.id, state.entered("run.notes"))
        return f"{name} is saved."

    state.attempt(action, runs=[name])


@st.dialog("Tag runs")
def _tag(runs: list[Run]) -> None:
    theirs = sorted({tag for run in runs for tag in run.tags})
    with st.form("tag runs", border=False):
        known = state.home().store.run_table.tags()
        new = "choose or type a new one"
        st.multiselect("Add", known, key="run.add tags", accept_new_options=True, placeholder=new)
        st.multiselect("Take away", theirs, key="run.drop tags", placeholder="none")
        if st.form_submit_button("Save", type="primary", on_click=_tag_now, args=(runs,)):
            st.rerun()


def _tag_now(runs: list[Run]) -> None:
    added, dropped = state.entered("run.add tags"), set(state.entered("run.drop tags"))

    def action() -> str:
        for run in runs:
            state.home().set_tags(run.id, [tag for tag in (*run.tags, *added) if tag not in dropped])
        return f"Tags of {wording.things(len(runs), 'run')} are saved."

    state.attempt(action)


@st.dialog("Extend run")
def _extend(run: Run) -> None:
    budget = run_config(run.config).budget
    st.markdown(
        f"**{run.name}** had {wording.count(budget.amount)} {budget.unit}. "
        "It goes on with the state of its optimiser."
    )
    with st.form("extend run", border=False):
        amount = {"min_value": 0.01, "value": float(budget.amount), "format": "%g", "key": "run.more"}
        st.number_input(f"More {budget.unit}", **amount)
        if st.form_submit_button("Go on", type="primary", on_click=_extend_now, args=(run,)):
            st.rerun()


def _extend_now(run: Run) -> None:
    _each([run], lambda id: state.jobs().extend(id, state.entered("run.more")), "in the queue")
