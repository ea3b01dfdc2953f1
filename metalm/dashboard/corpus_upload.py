"""Adding texts: files or a folder from the browser, or a path on this machine; a result for every file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import streamlit as st

from metalm.dashboard import long_work, messages, state, widgets, wording
from metalm.errors import MetalmError
from metalm.home import Added
from metalm.text.encodings import ENCODINGS
from metalm.text.readers import SUFFIXES, TABLES, columns, total_bytes

_STAGE = "upload.stage"
_ROUND = "upload.round"
_RESULTS = "upload.results"
_NO_COLUMN = "–"


@dataclass(frozen=True)
class Staged:
    """A file that waits on disk, and how it shall be read."""

    name: str
    path: Path
    text_column: str | None = None
    group_column: str | None = None


def show() -> None:
    """The whole of adding texts."""
    way = widgets.switch("From", ["Files", "A folder", "A path on this machine"], "from")
    staged = _path() if way == "A path on this machine" else _uploads(way == "A folder")
    if staged:
        _options_and_add(staged)
    _results()


def _uploads(is_folder: bool) -> list[Staged]:
    st.caption(
        "Texts (.txt, .md), tables (.csv, .tsv, .jsonl, .parquet; choose the column), and .zip archives."
    )
    files = st.file_uploader(
        "Texts",
        type=sorted(suffix.lstrip(".") for suffix in SUFFIXES),
        accept_multiple_files="directory" if is_folder else True,
        key=f"upload.{is_folder}.{st.session_state.get(_ROUND, 0)}",
        label_visibility="collapsed",
    )
    return [Staged(file.name, _on_disk(file)) for file in files]


def _on_disk(file) -> Path:
    """The upload as a file: it is moved out of memory at once, once."""
    if _STAGE not in st.session_state:
        st.session_state[_STAGE] = tempfile.TemporaryDirectory(prefix="metalm-upload-")
    # The browser names the path inside the chosen folder; only its harmless parts are kept.
    inside = [part for part in PurePosixPath(file.name).parts if part not in ("/", "..", ".")]
    path = Path(st.session_state[_STAGE].name, file.file_id, *inside)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getbuffer())
    return path


def _path() -> list[Staged]:
    typed = st.text_input(
        "File or folder on the machine that runs metalm", placeholder="/data/texts", key="upload.path"
    )
    if not typed.strip():
        st.caption("Read in place and streamed, so it may be far larger than what a browser can send.")
        return []
    path = Path(typed.strip()).expanduser()
    if not path.exists():
        messages.error(f"no file {str(path)!r} on this machine")
        return []
    return [Staged(path.name, path)]


def _options_and_add(staged: list[Staged]) -> None:
    left, middle, right = st.columns(3)
    encoding = left.selectbox(
        "Encoding",
        ENCODINGS,
        key="upload.encoding",
        accept_new_options=True,
        help="auto detects it for each file",
    )
    licence = middle.text_input(
        "Licence", key="upload.licence", placeholder="optional, for example CC-BY-4.0"
    )
    source = right.text_input(
        "Source", key="upload.source", placeholder="optional, where the texts come from"
    )
    encoding = encoding or "auto"
    staged = [_with_columns(item, encoding) for item in staged]
    if st.button(f"Add {wording.things(len(staged), 'file')}", type="primary", icon=":material/add:"):
        _add(staged, encoding=encoding, licence=licence, source=source)


def _with_columns(item: Staged, encoding: str) -> Staged:
    """A table with the columns that the user chose for its text and its groups."""
    if item.path.suffix.lower() not in TABLES:
        return item
    try:
        found = columns(item.path, item.name, encoding)
    except MetalmError as error:
        messages.warning(error)
        return item
    label, text, group = st.columns([2, 2, 2], vertical_alignment="bottom")
    label.markdown(f"**{item.name}**  \n:gray[a table of {wording.things(len(found.names), 'column')}]")
    text_column = text.selectbox(
        "Text column", found.names, found.names.index(found.text), key=f"text.{item.path}"
    )
    others = [_NO_COLUMN, *(name for name in found.names if name != text_column)]
    guess = others.index(found.group) if found.group in others else 0
    group_column = group.selectbox(
        "Group column",
        others,
        guess,
        key=f"group.{item.path}",
        help="each value can become a task of its own",
    )
    return Staged(item.name, item.path, text_column, None if group_column == _NO_COLUMN else group_column)


def _add(staged: list[Staged], **options: str) -> None:
    """Reads one file after the other. Stopped, those that were read are there, and are told of."""
    results: list[dict[str, str]] = []
    st.session_state[_RESULTS] = results
    label = f"Reading {wording.things(len(staged), 'file')} …"
    with long_work.under_way(label, key="upload", stop_help="files that were read before stay") as tell:
        on_read = _progress(tell, staged)
        for item in staged:
            try:
                added = state.home().add_corpus(
                    item.path,
                    text_column=item.text_column,
                    group_column=item.group_column,
                    on_read=partial(on_read, item),
                    **options,
                )
            except MetalmError as error:
                results.append({"file": item.name, "result": "not added", "what": str(error)})
            else:
                results += [_result(one) for one in added]
    _clear(results)
    st.rerun()


def _progress(tell: long_work.Tell, staged: list[Staged]) -> Callable[[Staged, int], None]:
    """Moves the bar with the bytes read of all files, archives and folders."""
    sizes = [_size(item) for item in staged]
    total, done = max(1, sum(sizes)), 0

    def on_read(item: Staged, num_bytes: int) -> None:
        nonlocal done
        done += num_bytes
        place = f" ({staged.index(item) + 1} of {len(staged)})" if len(staged) > 1 else ""
        tell(done / total, f"{item.name}{place}: {wording.size(done)} of {wording.size(total)} read")

    return on_read


def _size(item: Staged) -> int:
    """The bytes to be read; of what cannot be read none, and reading says why."""
    try:
        return total_bytes(item.path, item.name)
    except MetalmError:
        return 0


def _result(added: Added) -> dict[str, str]:
    if added.corpus is None:
        return {"file": added.name, "result": "not added", "what": str(added.error)}
    corpus = added.corpus
    sizes = f"{wording.size(corpus.bytes)}, {wording.count(corpus.chars)} characters"
    told = f"{corpus.name}: {sizes}, read as {corpus.encoding}"
    return {"file": added.name, "result": "added" if added.is_new else "already there", "what": told}


def _clear(results: list[dict[str, str]]) -> None:
    """Show `results` from now on, and begin anew with an empty uploader."""
    st.session_state[_RESULTS] = results
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    stage = st.session_state.pop(_STAGE, None)
    if stage is not None:
        stage.cleanup()


def _results() -> None:
    results = st.session_state.get(_RESULTS, [])
    if not results:
        return
    failed = sum(result["result"] == "not added" for result in results)
    done = len(results) - failed
    if failed:
        st.warning(f"{wording.things(done, 'file')} read, {failed} not added. The reason stands beside each.")
    else:
        st.success(f"{wording.things(done, 'file')} read. They stand under **All corpora** now.")
    wide = {"what": st.column_config.TextColumn(width="large")}
    st.dataframe(results, hide_index=True, column_config=wide, alt="What became of each file")
