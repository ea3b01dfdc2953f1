"""The id of a corpus follows from its content, and from nothing else."""

from pathlib import Path

from metalm.text.corpora import Corpus, Segment, corpus_id, corpus_path

SHA256 = "0123456789abcdef" * 4
HALVES = (Segment(name="a", begin=0, end=5), Segment(name="b", begin=5, end=9))


def test_id_of_a_plain_text_is_the_beginning_of_its_hash():
    assert corpus_id(SHA256) == SHA256[:16]


def test_id_of_a_grouped_text_depends_on_names_and_cuts_of_its_groups():
    renamed = (HALVES[0], Segment(name="c", begin=5, end=9))
    moved = (Segment(name="a", begin=0, end=4), Segment(name="b", begin=4, end=9))
    assert len({corpus_id(SHA256, segments) for segments in ((), HALVES, renamed, moved)}) == 4
    assert corpus_id(SHA256, HALVES) == corpus_id(SHA256, tuple(HALVES))


def test_corpus_is_dated_in_utc():
    corpus = Corpus(id="x", name="x", sha256=SHA256, bytes=1, chars=1, lines=1, encoding="utf-8")
    assert corpus.created_at.utcoffset().total_seconds() == 0


def test_text_of_a_corpus_is_kept_under_its_id():
    assert corpus_path(Path("corpora"), "0123") == Path("corpora/0123.txt")
