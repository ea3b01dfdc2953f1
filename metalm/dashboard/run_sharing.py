"""Runs on their way out and in: a report of those that are compared, and other trackers."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import streamlit as st

from metalm.dashboard import long_work, messages, state, widgets, wording
from metalm.errors import MetalmError
from metalm.sharing.run_report import as_text, run_report
from metalm.sharing.trackers import SOURCES, TRACKERS, export_to, import_from
from metalm.store.runs import Run

_KINDS = {".html": ("HTML", "text/html"), ".md": ("Markdown", "text/markdown")}


def report(runs: Sequence[Run]) -> None:
    """Two buttons: the runs side by side in one file, made when it is asked for."""
    with st.popover("Report", icon=":material/summarize:"):
        st.caption(
            "These runs in one file: curves, results with intervals, paired differences to the first run, "
            "settings that differ. HTML has charts to zoom in, and needs no network."
        )
        for suffix, (label, mime) in _KINDS.items():
            st.download_button(
                label,
                lambda suffix=suffix: _text(runs, suffix),
                f"report{suffix}",
                mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"report{suffix}",
                width="stretch",
            )


def _text(runs: Sequence[Run], suffix: str) -> str:
    return as_text(run_report(state.home(), [run.id for run in runs]), suffix)


def send(runs: Sequence[Run]) -> None:
    """A button that opens to one a tracker: the runs as that tracker keeps them, in a zip file."""
    with st.popover("Send to", icon=":material/output:"):
        st.caption(
            "Curves, settings and results for another tracker, in a zip file; nothing is sent from here."
        )
        for tracker in TRACKERS.values():
            st.download_button(
                tracker.title,
                lambda tracker=tracker: _packed(runs, tracker.name),
                f"{tracker.name}.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/download:",
                key=f"send.{tracker.name}",
                disabled=not tracker.is_installed,
                help=None
                if tracker.is_installed
                else f"To be installed first: pip install '{tracker.requirement}'",
                width="stretch",
            )


def _packed(runs: Sequence[Run], tracker: str) -> bytes:
    """What a tracker's library writes, zipped."""
    packed = BytesIO()
    with tempfile.TemporaryDirectory(prefix="metalm-send-") as folder:
        export_to(state.home(), [run.id for run in runs], tracker, folder)
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                archive.write(file, Path(tracker) / file.relative_to(folder))
    return packed.getvalue()


def take_in() -> None:
    """Runs that another tracker has: where they are, and which of their scalars are losses."""
    st.markdown("#### From another tracker")
    st.caption("Its runs come with all their curves. They have no weights, so their status is imported.")
    source = widgets.select("Tracker", [TRACKERS[name].title for name in SOURCES], "tracker", width=240)
    tracker = next(TRACKERS[name] for name in SOURCES if TRACKERS[name].title == source)
    if not tracker.is_installed:
        st.info(f"{tracker.title} needs its library: `pip install '{tracker.requirement}'`")
        return
    with st.form("import tracker"):
        place = st.text_input(
            "Folder on the machine that runs metalm"
            + ("" if tracker.takes_folders else ", or a server's address"),
            placeholder="/data/logs",
        )
        validation, query = st.columns(2)
        names = {
            "validation": validation.text_input("Scalar that is the validation loss", placeholder="val/loss"),
            "query": query.text_input("Scalar that is the training loss", placeholder="train/loss"),
        }
        st.caption("Both in nats per token, and only of other programs' runs: metalm knows its own.")
        is_asked = st.form_submit_button("Import", type="primary") and bool(place.strip())
    if is_asked:
        losses = {part: name.strip() for part, name in names.items() if name.strip()}
        _take(tracker.name, place.strip(), losses)


def _take(tracker: str, place: str, losses: dict[str, str]) -> None:
    try:
        with long_work.under_way("Importing …", key="tracker", stop_help="no run comes in") as tell:

            def on_read(num: int) -> None:
                tell(0.0, f"{wording.things(num, 'run')} read")

            runs = import_from(state.home(), tracker, place, losses, on_read=on_read)
    except MetalmError as error:
        messages.error(error)
        return
    messages.notice(f"{wording.things(len(runs), 'run')} imported.")
    state.choose_all({"view": None, "runs": [run.name for run in runs]})
    st.rerun()
