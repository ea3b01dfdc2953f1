"""Taking a run bundle in: a zip file from the browser, or a directory on this machine."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from metalm.dashboard import messages, run_sharing, state
from metalm.errors import BundleError, MetalmError
from metalm.store.runs import Run

# What zipfile raises of one that is cut, encrypted, damaged, or packed in a way that it does not know.
_UNREADABLE = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, OSError)


def show() -> None:
    """Both ways to import."""
    st.markdown(
        "A run bundle holds a run's settings, split, weights, curves and results: what **Export** gives."
    )
    left, right = st.columns(2, gap="large")
    with left, st.form("import zip"):
        upload = st.file_uploader("Bundle as a zip file", type="zip")
        if st.form_submit_button("Import", type="primary") and upload is not None:
            _take(lambda: from_zip(upload))
    with right, st.form("import directory"):
        typed = st.text_input("Directory on the machine that runs metalm", placeholder="/data/my-run")
        if st.form_submit_button("Import", type="primary") and typed.strip():
            _take(lambda: state.home().import_run(Path(typed.strip()).expanduser()))
    run_sharing.take_in()


def from_zip(upload: BinaryIO) -> Run:
    """Takes in the bundle of an uploaded zip file. Raises BundleError."""
    with tempfile.TemporaryDirectory(prefix="metalm-import-") as folder:
        try:
            with zipfile.ZipFile(upload) as archive:
                archive.extractall(folder)
        except _UNREADABLE as error:
            raise BundleError(f"{upload.name} must be a zip file that can be unpacked: {error}") from error
        found = sorted(Path(folder).rglob("run.json"))
        if not found:
            raise BundleError(f"no run.json in {upload.name}")
        return state.home().import_run(found[0].parent)


def _take(bring_in) -> None:
    try:
        with st.spinner("Taking the run in …"):
            run = bring_in()
    except MetalmError as error:
        messages.error(error)
        return
    messages.notice(f"{run.name} is imported.")
    state.choose_all({"view": None, "runs": [run.name]})
    st.rerun()
