"""Every encoding comes back as the characters that were written, and what is no text is refused."""

import codecs
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.errors import CorpusError
from metalm.text import detection
from metalm.text.encodings import ENCODINGS, decode, find_encoding
from metalm.text.samples import SAMPLES_DIR

WRITTEN_IN = [
    ("ar", "cp1256"),
    ("cs", "cp1250"),
    ("cs", "iso8859-2"),
    ("de", "cp1252"),
    ("de", "latin-1"),
    ("de", "cp850"),
    ("el", "cp1253"),
    ("es", "cp1252"),
    ("fi", "cp1252"),
    ("fr", "mac-roman"),
    ("hu", "cp1250"),
    ("hu", "iso8859-2"),
    ("it", "cp1252"),
    ("ja", "shift_jis"),
    ("ja", "euc_jp"),
    ("ja", "utf-16"),
    ("ko", "cp949"),
    ("lv", "cp1257"),
    ("nl", "cp1252"),
    ("pl", "cp1250"),
    ("pl", "iso8859-2"),
    ("pt-BR", "cp1252"),
    ("ru", "koi8-r"),
    ("ru", "cp1251"),
    ("ru", "iso8859-5"),
    ("ru", "utf-16-be"),
    ("sr-Latn", "cp1250"),
    ("sv", "cp1252"),
    ("ta", "utf-8-sig"),
    ("ta", "utf-16-le"),
    ("te", "utf-32"),
    ("uk", "koi8-u"),
    ("vi", "cp1258"),
    ("zh-CN", "gb18030"),
    ("zh-CN", "big5"),
    ("zh-CN", "utf-16-le"),
]


def written(language: str, encoding: str) -> str:
    """The first lines of a sample, as far as the encoding has their characters."""
    text = (SAMPLES_DIR / "languages" / f"{language}.txt").read_text("utf-8")[:12_000]
    codec = "utf-8" if encoding == "utf-8-sig" else encoding
    return text.encode(codec, "ignore").decode(codec)


def read(path, encoding="auto"):
    return "".join(decode(path, find_encoding(path, encoding, path.name), path.name))


@pytest.mark.parametrize(("language", "encoding"), WRITTEN_IN)
def test_encoding_is_found_from_the_bytes(tmp_path, language, encoding):
    path = tmp_path / "text.txt"
    path.write_bytes(written(language, encoding).encode(encoding))
    assert read(path) == written(language, encoding)


@pytest.mark.parametrize(("language", "encoding"), WRITTEN_IN)
def test_encoding_can_be_chosen_by_hand(tmp_path, language, encoding):
    path = tmp_path / "text.txt"
    path.write_bytes(written(language, encoding).encode(encoding))
    assert read(path, encoding) == written(language, encoding)


@pytest.mark.parametrize("encoding", [encoding for encoding in ENCODINGS if encoding != "auto"])
def test_every_offered_encoding_is_known(tmp_path, encoding):
    path = tmp_path / "text.txt"
    path.write_bytes("plain text".encode(encoding))
    assert read(path, encoding) == "plain text"


@settings(max_examples=60)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff")),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "gb18030"]),
    chunk=st.integers(1, 7),
)
def test_pieces_of_any_size_make_the_same_text(tmp_path_factory, text, encoding, chunk):
    path = tmp_path_factory.mktemp("pieces") / "text.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "CHUNK_BYTES", chunk)
        assert read(path, encoding) == text


@pytest.mark.parametrize("chunk", [1, 2, 3, 1 << 20])
def test_every_line_end_is_one_newline_wherever_a_piece_ends(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(detection, "CHUNK_BYTES", chunk)
    path = tmp_path / "text.txt"
    path.write_bytes(b"dos\r\nmac\runix\n\r\n\r\rend\r")
    assert read(path) == "dos\nmac\nunix\n\n\n\nend\n"


def test_break_deep_in_a_large_file_is_told_by_its_offset(tmp_path):
    path = tmp_path / "text.txt"
    whole = "žluťoučký kůň\n".encode() * 100_000
    path.write_bytes(whole[:1_500_000] + b"\xff" + whole[1_500_000:])
    with pytest.raises(CorpusError, match=r"'text.txt' must be in one encoding, .* offset 1,500,000"):
        find_encoding(path, "auto", path.name)
    with pytest.raises(CorpusError, match=r"'text.txt' .* as utf-8, got byte 0xff at offset 1,500,000"):
        read(path, "utf-8")


def test_broken_utf8_is_not_taken_for_a_code_page(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("naïve café, déjà vu. ".encode() * 100 + "naïve".encode("cp1252"))
    with pytest.raises(CorpusError, match="UTF-8 with a broken byte"):
        read(path)


def test_text_cut_inside_its_last_character_is_broken_utf8(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("ελληνικά ".encode() * 100 + "λ".encode()[:1])
    with pytest.raises(CorpusError, match="broken byte at offset 1,700"):
        read(path)


@pytest.mark.parametrize("num_bytes", [64, 1000, 30_000, 300_000])
@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_are_no_text(tmp_path, num_bytes, seed):
    path = tmp_path / "noise.txt"
    path.write_bytes(random.Random(seed).randbytes(num_bytes))
    with pytest.raises(CorpusError, match=r"'noise\.txt'"):
        read(path)


@pytest.mark.parametrize(
    "data", [b"text\0text" * 50, codecs.BOM_UTF8 + b"a\0b", b"\x7fELF\2\1\1" + bytes(64), bytes(2000)]
)
def test_nul_is_no_text(tmp_path, data):
    path = tmp_path / "binary.txt"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"'binary\.txt' must be text, got binary data"):
        read(path)


@pytest.mark.parametrize(
    "encoding",
    ["klingon", "", "rot13", "hex", "idna", "punycode", "unicode_escape", "undefined", "a\0b", "\ud800"],
)
def test_only_encodings_of_texts_can_be_chosen(tmp_path, encoding):
    path = tmp_path / "text.txt"
    path.write_text("text")
    with pytest.raises(CorpusError, match="encoding must be auto or an encoding that Python knows, got"):
        read(path, encoding)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("ascii", b"caf\xe9"),
        ("utf-16", b"\xff\xfea"),
        ("utf-16-le", b"\x00\xd8a\x00"),
        ("utf-32", b"abcd" * 4),
        ("shift_jis", b"ok \x81"),
        ("gb18030", b"\xff\xff"),
        ("cp1252", b"\x81"),
        ("iso2022_jp", b"\x1b$B\xff"),
    ],
)
def test_bytes_that_the_chosen_encoding_lacks_are_refused(tmp_path, encoding, data):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"'text\.txt' must be readable as"):
        read(path, encoding)
