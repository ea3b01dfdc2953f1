"""What a run has left beside its numbers: texts it wrote, events, work in the queue, files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from metalm.dashboard import contents, state, widgets, wording
from metalm.dashboard.table_height import table_height
from metalm.store.adaptations import Sample
from metalm.store.jobs import Job
from metalm.store.runs import Run

_MOST_DEMOS = 10
_JOBS = 500  # looked through, the newest
_EVENT = ["created_at", "kind", "message", "state"]
_DOWNLOADABLE = 64 << 20  # bytes of a file that the page hands over at once

_FILES = {
    "run.json": "settings, split and lineage, as they travel in a bundle",
    "weights.safetensors": "the weights: the best of meta-validation where there are any",
    "adaptation.safetensors": "what it learned about adaptation: rates, contexts, Fisher diagonal",
    "log.txt": "what the training said",
    "checkpoint": "what it goes on from",
    "experts": "Laplace posteriors of the meta-train tasks",
}


def samples(run: Run) -> None:
    """The texts that the run wrote in saved demos: before adaptation and after it, side by side."""
    kept = state.home().store.adaptations
    written = kept.samples(run=run.id)
    ids = {sample.adaptation_id for sample in written}
    demos = [demo for demo in kept.all() if demo.id in ids]
    if not demos:
        st.info("No text of this run was kept yet.")
        st.caption("It writes before and after adaptation on Adapt, and on the page of a task.")
        contents.link("Adapt", "Adapt it to a text", runs=[run.name])
        return
    for demo in demos[:_MOST_DEMOS]:
        with st.container(border=True):
            head, link = st.columns([4, 1], vertical_alignment="center")
            head.markdown(f"**{wording.plain(demo.name)}** :gray[{wording.ago(demo.created_at)}]")
            with link:
                contents.link("Adapt", "Open", demo=demo.id)
            own = [sample for sample in written if sample.adaptation_id == demo.id]
            for column, sample in zip(st.columns(len(own)), sorted(own, key=_step), strict=True):
                after = f"after {wording.things(sample.adaptation_step, 'adaptation step')}"
                column.caption(after if sample.adaptation_step else "before adaptation")
                column.code(sample.text, language=None, wrap_lines=True, height=160)
    if len(demos) > _MOST_DEMOS:
        st.caption(f"The newest {_MOST_DEMOS} of {wording.count(len(demos))}; Adapt has all.")


def _step(sample: Sample) -> int:
    return sample.adaptation_step


def events(run: Run) -> None:
    """What befell the run, and the work that was done for it, newest first."""
    store = state.home().store
    table = store.events.of(run.id).assign(state="")
    jobs = {job.id: job for job in (*store.jobs.queue(), *state.jobs().running(), *store.jobs.recent(_JOBS))}
    own = [job for job in jobs.values() if run.id in _runs_of(job)]
    rows = [(job.created_at, job.kind, job.message or job.error, job.status) for job in own]
    moments = {"created": run.created_at, "started": run.started_at, "ended": run.finished_at}
    rows += [(at, kind, "", "") for kind, at in moments.items() if at is not None]
    lines = [*table[_EVENT].itertuples(index=False, name=None), *rows]
    table = pd.DataFrame(lines, columns=_EVENT)
    table["created_at"] = pd.to_datetime(table["created_at"], utc=True)
    table = table.sort_values("created_at", ascending=False, kind="stable")
    st.dataframe(
        table,
        hide_index=True,
        height=table_height(len(table), 16),
        column_config={
            "created_at": st.column_config.DatetimeColumn("when", format="YYYY-MM-DD HH:mm:ss"),
            "kind": "what",
            "message": st.column_config.TextColumn("details", width="large"),
        },
        alt=f"Events of {run.name}, newest first",
    )


def _runs_of(job: Job) -> list[str | None]:
    return [job.run_id, *job.payload.get("runs", ())]


def files(run: Run) -> None:
    """What lies in the run's folder, with its size; any one file can be taken."""
    folder = state.home().run_dir(run.id)
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
    if not found:
        st.info("It has written no file yet.")
        return
    names = {str(path.relative_to(folder)): path for path in found}
    st.dataframe(
        pd.DataFrame([_file(name, path) for name, path in names.items()]),
        hide_index=True,
        height=table_height(len(names), 12),
        column_config={
            "changed": st.column_config.DatetimeColumn(format="distance"),
            "what it is": st.column_config.TextColumn(width="large"),
        },
        alt=f"Files of {run.name}",
    )
    st.caption("They lie in the home, in the folder of this run:")
    st.code(str(folder), language=None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = names[widgets.select("File", list(names), "file", width=360)]
        if chosen.stat().st_size <= _DOWNLOADABLE:
            icon = ":material/download:"
            st.download_button("Download", chosen.read_bytes, chosen.name, on_click="ignore", icon=icon)
        else:
            st.caption("Too large to be handed over here: take it from the folder.")


def _file(name: str, path: Path) -> dict:
    told = path.stat()
    return {
        "file": name,
        "size": wording.size(told.st_size),
        "changed": pd.Timestamp(told.st_mtime, unit="s", tz="UTC"),
        "what it is": _FILES.get(name.partition("/")[0], ""),
    }
