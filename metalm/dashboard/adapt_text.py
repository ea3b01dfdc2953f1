"""The text of a live adaptation: pasted, uploaded or taken from the corpora, and where it is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from metalm.dashboard import state, wording
from metalm.errors import MetalmError
from metalm.evaluate.live import MIN_PASTE_BYTES, QUERY_SHARE, cut_paste
from metalm.store.runs import Run
from metalm.text.splits import SplitTask
from metalm.text.tasks import TaskText

MAX_BYTES = 16_000  # of a text: what a demo adapts to in seconds, and a page shows at a glance
_SAMPLE_BYTES = 3_000
_ENDS = 700  # characters shown on either side of the cut
_SOURCES = ["Sample", "Paste", "Upload"]


@dataclass(frozen=True)
class CutText:
    """A named text in two parts that share nothing, in UTF-8."""

    name: str
    support: bytes
    query: bytes


def choose(runs: Sequence[Run]) -> CutText | None:
    """The text and its cut, shown; None, with the reason, as long as there is none that can be cut."""
    source = state.switch("Text from", _SOURCES, "source")
    name, text = {"Sample": _sample, "Paste": _paste, "Upload": _upload}[source](runs)
    if not text:
        return None
    text, dropped = _shortened(text)
    share = st.slider(
        "Share of the query set",
        0.1,
        0.6,
        QUERY_SHARE,
        0.05,
        key="adapt.share",
        persist_state="session",
        help="the last part of the text: judged, never adapted to",
    )
    try:
        support, query = cut_paste(text, share)
    except MetalmError as error:
        st.warning(str(error))
        return None
    _show_cut(support, query, dropped)
    return CutText(name, support, query)


def _paste(_runs: Sequence[Run]) -> tuple[str, str]:
    text = st.text_area(
        "Text",
        key="adapt.pasted",
        persist_state="session",
        height=180,
        placeholder=f"Paste {wording.size(MIN_PASTE_BYTES)} or more of any language, code, poetry …",
        label_visibility="collapsed",
    )
    return " ".join(text.split()[:5]) or "pasted text", text


def _upload(_runs: Sequence[Run]) -> tuple[str, str]:
    file = st.file_uploader("A text file, UTF-8", type=["txt", "md", "csv", "py", "html"], max_upload_size=5)
    if file is None:
        return "", ""
    try:
        return file.name, file.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        st.warning(f"{file.name} must be UTF-8; add it on the Corpora page, which finds other encodings")
        return "", ""


def _sample(runs: Sequence[Run]) -> tuple[str, str]:
    """A piece of a task of the first run's split, unseen ones first."""
    languages = {corpus.id: corpus.language for corpus in state.home().corpora()}
    tasks = state.home().split(runs[0].split_id).tasks
    members = {_told(member, languages): member for member in _by_novelty(tasks)}
    chosen = state.select("Sample text", list(members), "sample")
    member = members[chosen]
    try:
        text = state.home().text_of(member.task)
    except MetalmError as error:
        st.warning(str(error))
        return "", ""
    if member.role == "meta-train":
        st.caption(":orange[The run was trained on this text: what adaptation brings here proves nothing.]")
    return _named(member, languages), _tail(text)


def _by_novelty(members: Sequence[SplitTask]) -> list[SplitTask]:
    order = ["meta-test", "meta-validation", "meta-train"]
    return sorted(
        members, key=lambda member: (order.index(member.role), member.near is not False, member.task.name)
    )


def _named(member: SplitTask, languages: Mapping[str, str]) -> str:
    """The task's name, with its language where the name does not say it."""
    name, language = member.task.name, languages.get(member.task.corpus_id, "")
    return f"{name} · {language}" if language and language != name else name


def _told(member: SplitTask, languages: Mapping[str, str]) -> str:
    distance = {True: ", near", False: ", far"}.get(member.near, "")
    return f"{_named(member, languages)} ({member.role}{distance})"


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
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown(f"**Support set** :gray[{wording.size(len(support))}, adapted to]")
        _piece(support.decode(), at_end=True)
    with right, st.container(border=True):
        st.markdown(f"**Query set** :gray[{wording.size(len(query))}, judged]")
        _piece(query.decode(), at_end=False)
    if dropped:
        st.caption(f"The text is long: its last {wording.size(dropped)} stay out of this demo.")


def _piece(text: str, *, at_end: bool) -> None:
    """One end of a text; plain, so that nothing in it is read as markdown."""
    shown = text if len(text) <= _ENDS else ("…" + text[-_ENDS:] if at_end else text[:_ENDS] + "…")
    st.code(shown, language=None, wrap_lines=True, height=150)
