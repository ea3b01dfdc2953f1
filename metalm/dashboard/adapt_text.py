"""The text of a live adaptation: pasted, uploaded or taken from the corpora, and where it is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from metalm.dashboard import messages, sample_runs, state, widgets, wording
from metalm.errors import MetalmError
from metalm.evaluate.live import MIN_PASTE_BYTES, QUERY_SHARE, cut_paste
from metalm.store.runs import Run
from metalm.text.splits import Split, SplitTask
from metalm.text.tasks import Task, TaskText

MAX_BYTES = 16_000  # of a text: what a demo adapts to in seconds, and a page shows at a glance
_MAX_PASTED = 500_000  # characters: browsers choke on megabytes, and drop what is longer without a word
_SAMPLE_BYTES = 3_000
_ENDS = 700  # characters shown on either side of the cut
_LOOKED_AT, _NAME = 1000, 60  # characters: of a text for its name, of the name
_SOURCES = ["Sample", "Paste", "Upload"]


@dataclass(frozen=True)
class CutText:
    """A named text in two parts that share nothing, in UTF-8. task: the task whose text it is, if any."""

    name: str
    support: bytes
    query: bytes
    task: Task | None = None


def choose(runs: Sequence[Run], preview: DeltaGenerator) -> CutText | None:
    """The text; None, with the reason, as long as there is none that can be cut.

    preview: where the cut is shown. Below the button that adapts: a first paste must not push it from under
    the pointer, or the click that ends the typing is lost.
    """
    source = widgets.switch("Text from", _SOURCES, "source")
    task = _task(runs) if source == "Sample" else None
    name, text = _sample(task, runs) if task else {"Paste": _paste, "Upload": _upload}[source]()
    if not text:
        return None
    with preview:
        return _cut(name, text, task)


def _cut(name: str, text: str, task: Task | None) -> CutText | None:
    """The text as it is cut, with the slider that says where."""
    text, dropped = _shortened(text)
    share = widgets.slider(
        "Share of the query set",
        0.1,
        0.6,
        QUERY_SHARE,
        "share",
        step=0.05,
        help="the last part of the text: judged, never adapted to",
    )
    try:
        support, query = cut_paste(text, share)
    except MetalmError as error:
        messages.warning(error)
        return None
    _show_cut(support, query, dropped)
    return CutText(name, support, query, task)


def opened(task: Task, runs: Sequence[Run]) -> list[tuple[Run, Split]]:
    """Which run opens which meta-test when all adapt to `task`: those of their splits that judge on it."""
    splits = {run.split_id: state.home().split(run.split_id) for run in runs}
    tested = [split for split in splits.values() if task.id in {one.id for one in split.of_role("meta-test")}]
    return [(run, split) for run in runs for split in tested]


def _paste() -> tuple[str, str]:
    text = st.text_area(
        "Text",
        key="adapt.pasted",
        persist_state="session",
        height=180,
        max_chars=_MAX_PASTED,
        placeholder=f"Paste {wording.size(MIN_PASTE_BYTES)} or more of any language, code, poetry …",
        label_visibility="collapsed",
    )
    return first_words(text) or "pasted text", text


def first_words(text: str) -> str:
    """What a text is called: its first words, cut where a script has no spaces between them."""
    name = " ".join(text[:_LOOKED_AT].split()[:5])
    return name if len(name) <= _NAME else f"{name[: _NAME - 1].rstrip()}…"


def _upload() -> tuple[str, str]:
    file = st.file_uploader("A text file, UTF-8", type=["txt", "md", "csv", "py", "html"], max_upload_size=5)
    if file is None:
        return "", ""
    try:
        text = file.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        messages.warning(
            f"{file.name} must be UTF-8; add it on the Corpora page, which finds other encodings"
        )
        return "", ""
    if not text.strip():
        messages.warning(f"{file.name} must have text in it, it is empty")
        return "", ""
    return file.name, text


def _task(runs: Sequence[Run]) -> Task:
    """A task of the first run's split, those of meta-validation first: a look at meta-test is counted.

    Runs that ship begin with a far task of meta-test: nobody has anything left to choose by it.
    """
    languages = _languages()
    members = _in_order(state.home().split(runs[0].split_id).tasks)
    tasks = {_told(member, languages): member.task for member in members}
    roles = [member.role for member in members]
    first = roles.index("meta-test") if sample_runs.are_all(runs) and "meta-test" in roles else 0
    task = tasks[widgets.select("Sample text", list(tasks), "sample", index=first)]
    for split in dict.fromkeys(split.name for _, split in opened(task, runs)):
        times = wording.things(state.home().openings(split), "time")
        st.warning(
            f"A meta-test task of the split {wording.plain(split)}: adapting to it opens meta-test, which "
            f"is recorded for each run. So far it was opened {times}."
        )
    return task


def _sample(task: Task, runs: Sequence[Run]) -> tuple[str, str]:
    """The task's name, and a piece of its text."""
    try:
        text = state.home().text_of(task)
    except MetalmError as error:
        messages.warning(error)
        return "", ""
    if trained := [run.name for run in runs if state.home().has_seen(run.id, task)]:
        names = wording.plain(", ".join(trained))
        st.warning(f"{names} learned from this text: what adaptation brings here proves nothing.")
    return _named(task, _languages()), _tail(text)


def _languages() -> dict[str, str]:
    return {corpus.id: corpus.language for corpus in state.home().corpora()}


def _in_order(members: Sequence[SplitTask]) -> list[SplitTask]:
    order = ["meta-validation", "meta-test", "meta-train"]
    return sorted(
        members, key=lambda member: (order.index(member.role), member.near is not False, member.task.name)
    )


def _named(task: Task, languages: Mapping[str, str]) -> str:
    """The task's name, with its language where the name does not say it."""
    name, language = task.name, languages.get(task.corpus_id, "")
    return f"{name} · {language}" if language and language != name else name


def _told(member: SplitTask, languages: Mapping[str, str]) -> str:
    distance = {True: ", near", False: ", far"}.get(member.near, "")
    return f"{_named(member.task, languages)} ({member.role}{distance})"


def _tail(text: TaskText) -> str:
    """The last bytes of a task, where no training reads."""
    begin, end = text.query(_SAMPLE_BYTES)
    return text.read(begin, end).decode()


def _shortened(text: str) -> tuple[str, int]:
    """The first MAX_BYTES of a text, and how many bytes were dropped."""
    data = text.encode(errors="replace")
    kept = data[:MAX_BYTES].decode(errors="ignore")
    return kept, len(data) - len(kept.encode())


def _show_cut(support: bytes, query: bytes, dropped: int) -> None:
    """Both sides of the cut, as the model will meet them."""
    if dropped:
        st.caption(f"The text is long: its last {wording.size(dropped)} stay out of this demo.")
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown(f"**Support set** :gray[{wording.size(len(support))}, adapted to]")
        _piece(support.decode(), at_end=True)
    with right, st.container(border=True):
        st.markdown(f"**Query set** :gray[{wording.size(len(query))}, judged]")
        _piece(query.decode(), at_end=False)


def _piece(text: str, *, at_end: bool) -> None:
    """One end of a text; plain, so that nothing in it is read as markdown."""
    shown = text if len(text) <= _ENDS else ("…" + text[-_ENDS:] if at_end else text[:_ENDS] + "…")
    st.code(shown, language=None, wrap_lines=True, height=150)
