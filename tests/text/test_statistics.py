"""Figures of a text against counts taken the slow way."""

import lzma
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.errors import CorpusError
from metalm.text import detection, statistics
from metalm.text.samples import SAMPLES_DIR
from metalm.text.statistics import describe


@pytest.fixture
def described(tmp_path):
    """A function: the statistics of a text."""

    def make(text):
        (tmp_path / "text.txt").write_bytes(text.encode())
        return describe(tmp_path / "text.txt")

    return make


@pytest.mark.parametrize("name", ["languages/ja", "languages/sr", "languages/ta", "domains/c_source"])
def test_counts_are_those_of_the_whole_text(name):
    path = SAMPLES_DIR / f"{name}.txt"
    text = path.read_text("utf-8")
    found = describe(path)
    assert (found.bytes, found.chars, found.lines) == (path.stat().st_size, len(text), text.count("\n"))
    assert found.alphabet_size == len(set(text))
    assert dict(found.top_characters) == {c: text.count(c) for c, _ in Counter(text).most_common(20)}
    packed = lzma.compress(path.read_bytes(), preset=6)
    assert found.xz_bits_per_char == 8 * len(packed) / len(text)
    assert (found.xz_bytes, found.word_bytes) == (found.bytes, found.bytes)


@settings(max_examples=40)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), chunk=st.integers(4, 64)
)
def test_pieces_of_any_size_give_the_same_statistics(tmp_path_factory, text, chunk):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(text.encode())
    whole = describe(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "CHUNK_BYTES", chunk)
        assert describe(path) == whole
    assert whole.chars == len(text)
    assert sum(whole.scripts.values()) == pytest.approx(1 if whole.scripts else 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat, the CAT; don’t l'été!", [("cat", 2), ("the", 2), ("don’t", 1), ("l'été", 1)]),
        ("नमस्ते दुनिया नमस्ते", [("नमस्ते", 2), ("दुनिया", 1)]),
        ("東京タワーに行く", [("く", 1), ("に", 1), ("タワー", 1), ("京", 1), ("東", 1), ("行", 1)]),
        ("x1 = x1 + 42", [("x1", 2), ("42", 1)]),
        ("… — !", []),
    ],
)
def test_words_are_those_of_their_script(described, text, words):
    found = described(text)
    assert found.top_words == words
    assert found.num_distinct_words == len(words)
    assert found.num_words == sum(count for _, count in words)


def test_scripts_are_shares_of_letters(described):
    assert described("abc где 123 !?").scripts == {"Latin": 0.5, "Cyrillic": 0.5}
    assert described("ひらカタ漢字한글").scripts == dict.fromkeys(
        ["Hiragana", "Katakana", "Han", "Hangul"], 0.25
    )
    assert described("123 + 456").scripts == {}
    assert described("a\U00010a00").scripts == {"Latin": 0.5, "Other": 0.5}


@pytest.mark.parametrize(
    ("language", "script"),
    [
        ("el", "Greek"),
        ("ko", "Hangul"),
        ("te", "Telugu"),
        ("as", "Bengali"),
        ("mr", "Devanagari"),
        ("fa", "Arabic"),
    ],
)
def test_first_script_of_a_sample_is_its_own(language, script):
    scripts = describe(SAMPLES_DIR / "languages" / f"{language}.txt").scripts
    assert next(iter(scripts)) == script
    assert list(scripts.values()) == sorted(scripts.values(), reverse=True)


def test_zipf_points_are_counts_at_their_ranks():
    found = describe(SAMPLES_DIR / "domains" / "milton.txt")
    ranks, counts = found.zipf["rank"], found.zipf["frequency"]
    assert len(ranks) == len(counts) <= 500
    assert (ranks[0], ranks[-1]) == (1, found.num_distinct_words)
    assert ranks == sorted(set(ranks))
    assert counts == sorted(counts, reverse=True)
    assert counts[:10] == [count for _, count in found.top_words[:10]]


def test_previews_are_pieces_of_the_text_cut_between_characters(described):
    text = "".join(f"{i}·語🐈é " for i in range(3000))
    found = described(text)
    assert text.startswith(found.head)
    assert found.middle in text
    assert text.endswith(found.tail)
    assert all(2000 < len(piece.encode()) <= 2048 for piece in (found.head, found.middle, found.tail))


def test_preview_of_a_short_text_is_all_of_it(described):
    found = described("short é")
    assert found.head == found.middle == found.tail == "short é"


def test_slow_figures_stop_where_they_say(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(statistics, "XZ_BYTES", 2500)
    monkeypatch.setattr(statistics, "WORD_BYTES", 4000)
    path = tmp_path / "text.txt"
    path.write_text("ten bytes " * 1000)
    found = describe(path)
    assert (found.xz_bytes, found.word_bytes, found.bytes) == (3000, 4000, 10_000)
    assert found.top_words == [("bytes", 400), ("ten", 400)]
    assert found.xz_bits_per_char == 8 * len(lzma.compress(path.read_bytes()[:3000], preset=6)) / 3000


@pytest.mark.parametrize("data", [b"", b"abc\xff", "é".encode()[:1], None])
def test_text_that_is_damaged_or_gone_is_told(tmp_path, data):
    if data is not None:
        (tmp_path / "text.txt").write_bytes(data)
    with pytest.raises(CorpusError, match=r"stored text 'text\.txt'"):
        describe(tmp_path / "text.txt")


def test_pieces_are_as_long_as_elsewhere():
    assert statistics.CHUNK_BYTES == detection.CHUNK_BYTES


def test_progress_rises_to_the_whole_text_whatever_its_characters_take(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK_BYTES", 5)  # pieces end inside characters
    path = tmp_path / "text.txt"
    path.write_bytes("süß 猫 und 犬".encode() * 10)
    heard = []
    assert describe(path, on_progress=heard.append) == describe(path)
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert len(heard) > 10


def test_what_progress_raises_ends_the_reading(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("süß", encoding="utf-8")

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        describe(path, on_progress=stop)
