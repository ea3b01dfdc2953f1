import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.errors import CorpusError, NotFoundError, SplitError
from metalm.text.corpora import Corpus, Segment
from metalm.text.tasks import (
    GAP_BYTES,
    MIN_TASK_BYTES,
    QUERY_BYTES,
    SUPPORT_STRIDE,
    TaskText,
    character_boundary,
    tasks_of,
)

texts_of_any_script = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).map(
    lambda text: text * (-(-MIN_TASK_BYTES // len(text.encode())) + len(text) % 40)
)


def corpus(path, *, name="tale", segments=(), **groups):
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Corpus(
        id=path.stem,
        name=name,
        sha256=sha256,
        bytes=len(data),
        chars=len(data.decode()),
        lines=data.count(b"\n"),
        encoding="utf-8",
        groups=groups,
        segments=segments,
    )


@given(text=texts_of_any_script)
@settings(max_examples=60)
def test_cut_leaves_a_gap_and_splits_no_character(task_text, text):
    task = task_text(text)
    cut = task.cut
    assert 0 < cut.train_end < cut.query_begin < cut.query_end == task.size
    for begin, end in ((0, cut.train_end), (cut.train_end, cut.query_begin), (cut.query_begin, task.size)):
        task.read(begin, end).decode()


@given(
    text=texts_of_any_script,
    num_bytes=st.integers(0, 6000),
    draw=st.integers(0, 2),
    query=st.integers(4, 5000),
)
@settings(max_examples=100)
def test_support_and_query_share_no_byte(task_text, text, num_bytes, draw, query):
    task = task_text(text)
    support = task.support(num_bytes, draw)
    if support is None:
        assert task.cut.train_end - draw * SUPPORT_STRIDE < num_bytes
        return
    begin, end = support
    query_begin, query_end = task.query(query)
    assert 0 <= begin <= end <= task.cut.train_end < query_begin < query_end <= task.size
    assert num_bytes - 3 <= end - begin <= num_bytes
    assert query_end - query_begin <= query
    task.read(begin, end).decode()
    task.read(query_begin, query_end).decode()


def test_cut_of_a_long_text_takes_the_sizes_of_the_protocol(task_text):
    task = task_text("x" * 100_000)
    assert task.query() == (100_000 - QUERY_BYTES, 100_000)
    assert task.cut.train_end == 100_000 - QUERY_BYTES - GAP_BYTES
    assert task.support(2048) == (task.cut.train_end - 2048, task.cut.train_end)
    assert task.support(2048, draw=3)[1] == task.cut.train_end - 3 * SUPPORT_STRIDE


def test_support_of_zero_bytes_is_empty_and_ends_where_training_ends(task_text):
    task = task_text("x" * 2000)
    assert task.support(0) == (task.cut.train_end, task.cut.train_end)


def test_support_is_none_when_the_text_is_too_short(task_text):
    task = task_text("x" * 2000)
    assert task.support(2000) is None
    assert task.support(0, draw=1) is None
    assert task.support(task.cut.train_end) == (0, task.cut.train_end)


def test_short_task_cannot_be_cut(task_text):
    with pytest.raises(SplitError, match=r"task 'haiku' must have 1024 bytes or more, got 17"):
        _ = task_text("seventeen letters", "haiku").cut


def test_read_refuses_a_piece_outside_the_task(task_text):
    with pytest.raises(ValueError, match=r"must lie inside it, got \[0, 2001\)"):
        task_text("x" * 2000).read(0, 2001)


def test_read_names_the_task_when_its_file_was_cut_off(task_text):
    task = task_text("y" * 2000, "tale", end=3000)
    with pytest.raises(CorpusError, match=r"text of task 'tale' must reach byte 3000 .* got 2000 bytes"):
        task.read(0, 3000)


def test_read_names_the_file_when_it_is_gone(task_text, tmp_path):
    task = TaskText(task_text("x" * 2000).task, tmp_path / "gone.txt")
    with pytest.raises(NotFoundError, match=r"no text 'gone.txt' in"):
        task.read(0, 10)


@given(
    text=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1).map("\n".join),
    max_bytes=st.integers(8, 60),
)
@settings(max_examples=100)
def test_pieces_make_up_the_text_and_end_after_lines_or_characters(task_text, text, max_bytes):
    task = task_text(text)
    pieces = list(task.pieces(0, task.size, max_bytes=max_bytes))
    assert b"".join(pieces).decode() == text
    for piece in pieces[:-1]:
        assert len(piece) <= max_bytes
        assert piece.endswith(b"\n") or b"\n" not in piece
        piece.decode()


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20), offset=st.integers(0, 80))
@settings(max_examples=100)
def test_character_boundary_is_the_nearest_one(task_text, text, offset):
    path = task_text(text).path
    boundaries = {len(text[:i].encode()) for i in range(len(text) + 1)}
    offset = min(offset, max(boundaries))
    assert character_boundary(path, offset) == max(b for b in boundaries if b <= offset)
    assert character_boundary(path, offset, forward=True) == min(b for b in boundaries if b >= offset)


def test_task_by_corpus_is_the_whole_text_with_the_corpus_groups(task_text):
    path = task_text("a tale\n" * 300).path
    (task,) = tasks_of([corpus(path, language="English", relatives="germanic")])
    assert (task.name, task.begin, task.end, task.relatives) == ("tale", 0, 2100, "germanic")
    assert task.groups == {"language": "English", "relatives": "germanic"}
    assert (
        task.id
        == hashlib.sha256(f"{hashlib.sha256(path.read_bytes()).hexdigest()}:0:2100".encode()).hexdigest()[:16]
    )


def test_tasks_by_group_are_the_segments_and_keep_the_groups_of_the_corpus(task_text):
    path = task_text("a tale\n" * 300).path
    segments = (Segment(name="Poe", begin=0, end=1400), Segment(name="Woolf", begin=1400, end=2100))
    poe, woolf = tasks_of([corpus(path, segments=segments, script="Latin")], by="group")
    assert (poe.name, woolf.name) == ("tale/Poe", "tale/Woolf")
    assert (poe.relatives, woolf.relatives) == (poe.name, woolf.name)
    assert (woolf.begin, woolf.end) == (1400, 2100)
    assert woolf.groups == {"script": "Latin", "corpus": "tale", "group": "Woolf"}
    assert not woolf.is_long_enough


def test_corpus_without_segments_is_one_task_by_group(task_text):
    path = task_text("a tale\n" * 300).path
    assert tasks_of([corpus(path)], by="group") == tasks_of([corpus(path)])


@given(text=texts_of_any_script, chunk_bytes=st.integers(MIN_TASK_BYTES, 3000))
@settings(max_examples=60)
def test_chunks_make_up_the_corpus_and_split_no_character(task_text, text, chunk_bytes):
    path = task_text(text).path
    whole = corpus(path)
    tasks = tasks_of([whole], by="chunks", chunk_bytes=chunk_bytes, corpora_dir=path.parent)
    assert b"".join(TaskText(task, path).read(0, task.size) for task in tasks).decode() == text
    for task in tasks:
        TaskText(task, path).read(0, task.size).decode()
    assert len(tasks) == max(whole.bytes // chunk_bytes, 1)
    assert all(chunk_bytes - 3 <= task.size < 2 * chunk_bytes + 3 for task in tasks[:-1])
    assert [task.name for task in tasks] == sorted(task.name for task in tasks)
    assert len({task.id for task in tasks}) == len(tasks)


def test_chunks_below_the_smallest_task_are_refused(task_text):
    path = task_text("a tale\n" * 300).path
    with pytest.raises(SplitError, match="chunks must have 1024 bytes or more, got 100"):
        tasks_of([corpus(path)], by="chunks", chunk_bytes=100, corpora_dir=path.parent)
