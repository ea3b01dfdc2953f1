"""A file becomes a corpus or an error that names it; nothing is ever left half-stored."""

import csv
import hashlib
import io
import json
import os
import random
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalm.errors import CorpusError
from metalm.text import ingest as ingest_module
from metalm.text.archives import Limits
from metalm.text.ingest import MIN_CORPUS_BYTES, Ingested, ingest, remove_leftovers
from metalm.text.samples import SAMPLES_DIR

STORY = "Once upon a time, in a land of rivers and “hills”, there was a small grey cat.\n" * 40
SCRIPTS = {
    "el": "koi8-r",
    "ru": "koi8-r",
    "zh-CN": "gb18030",
    "ja": "shift_jis",
    "te": "utf-16",
    "es": "cp1252",
}


def zipped(members, **options):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, **options) as pack:
        for name, content in members.items():
            pack.writestr(name, content)
    return data.getvalue()


def table(kind, rows):
    """Rows of strings as the bytes of a table file."""
    if kind == ".jsonl":
        return "\n".join(map(json.dumps, rows)).encode()
    if kind == ".parquet":
        data = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), data)
        return data.getvalue()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if kind == ".tsv" else ",")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def check_stored(result, corpora_dir):
    """The stored text is what its corpus says, and a Unicode text without what is no text."""
    corpus, data = result.corpus, result.path.read_bytes()
    text = data.decode()
    assert result.path == corpora_dir / f"{corpus.id}.txt"
    assert corpus.sha256 == hashlib.sha256(data).hexdigest()
    assert (corpus.bytes, corpus.chars) == (len(data), len(text))
    assert corpus.lines == len(text.split("\n")) - text.endswith("\n")
    assert corpus.bytes >= MIN_CORPUS_BYTES
    assert not {"\0", "\r"} & set(text)
    if corpus.segments:
        cuts = [0, *(segment.end for segment in corpus.segments)]
        assert [segment.begin for segment in corpus.segments] == cuts[:-1]
        assert cuts[-1] == len(data)


def check_outcome(data, name, folder, **options):
    """Whatever a file holds, it becomes a good corpus or an error that names it; nothing else is left."""
    path, corpora_dir = folder / name, folder / "corpora"
    path.write_bytes(data)
    try:
        results = list(ingest(path, corpora_dir, **options))
    except CorpusError as error:
        results = [error]
    for result in results:
        if isinstance(result, Ingested):
            check_stored(result, corpora_dir)
        else:
            assert name in str(result), result
    stored = {result.path for result in results if isinstance(result, Ingested)}
    assert set(corpora_dir.iterdir()) == stored
    return results


# What becomes a corpus


@pytest.mark.parametrize("suffix", [".txt", ".md", ".TXT"])
def test_plain_text_is_kept_as_it_is(tmp_path, suffix):
    (result,) = check_outcome(STORY.encode(), f"story{suffix}", tmp_path)
    assert result.path.read_text("utf-8") == STORY
    assert (result.corpus.name, result.corpus.encoding, result.corpus.segments) == ("story", "utf-8", ())
    assert result.file == f"story{suffix}"


@pytest.mark.parametrize("language", SCRIPTS)
def test_text_in_any_encoding_becomes_utf8(tmp_path, language):
    text = (SAMPLES_DIR / "languages" / f"{language}.txt").read_text("utf-8")[:8000]
    text = text.encode(SCRIPTS[language], "ignore").decode(SCRIPTS[language])
    (result,) = check_outcome(text.encode(SCRIPTS[language]), "t.txt", tmp_path, encoding=SCRIPTS[language])
    assert result.path.read_text("utf-8") == text


def test_same_content_twice_is_one_corpus(tmp_path):
    first, second = (tmp_path / "a.txt"), (tmp_path / "b.md")
    first.write_bytes(STORY.encode())
    second.write_bytes(b"\xef\xbb\xbf" + STORY.replace("\n", "\r\n").encode())
    one, two = (next(ingest(path, tmp_path / "corpora")) for path in (first, second))
    assert one.corpus.id == two.corpus.id
    assert (one.is_new, two.is_new) == (True, False)
    assert len(list((tmp_path / "corpora").iterdir())) == 1


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_rows_of_one_group_stand_together(tmp_path, kind):
    rows = [{"text": f"αβγ {i} " * 20, "by": ["Ann", "Bob", "Cy"][i % 3]} for i in range(30)]
    (result,) = check_outcome(
        table(kind, rows), f"t{kind}", tmp_path, text_column="text", group_column="by", encoding="utf-8"
    )
    data = result.path.read_bytes()
    for segment in result.corpus.segments:
        expected = "".join(row["text"] + "\n" for row in rows if row["by"] == segment.name)
        assert data[segment.begin : segment.end].decode() == expected
    assert [segment.name for segment in result.corpus.segments] == ["Ann", "Bob", "Cy"]


def test_groups_larger_than_memory_may_hold_come_out_the_same(tmp_path, monkeypatch):
    rows = [{"text": f"row {i} \U0001f408", "by": str(i % 7)} for i in range(1000)]
    options = {"text_column": "text", "group_column": "by"}
    (tmp_path / "small").mkdir()
    (whole,) = check_outcome(table(".jsonl", rows), "t.jsonl", tmp_path, **options)
    monkeypatch.setattr(ingest_module, "SPOOL_CHARS", 100)
    monkeypatch.setattr(ingest_module, "_COPY_CHARS", 3)
    (spooled,) = check_outcome(table(".jsonl", rows), "t.jsonl", tmp_path / "small", **options)
    assert spooled.corpus.id == whole.corpus.id


def test_table_read_with_and_without_groups_is_two_corpora(tmp_path):
    (tmp_path / "t.jsonl").write_bytes(table(".jsonl", [{"text": STORY, "by": "Ann"}]))
    plain, grouped = (
        next(ingest(tmp_path / "t.jsonl", tmp_path / "corpora", text_column="text", group_column=column))
        for column in (None, "by")
    )
    assert plain.corpus.sha256 == grouped.corpus.sha256
    assert plain.corpus.id != grouped.corpus.id


def test_one_bad_file_of_a_folder_does_not_stop_the_rest(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_bytes(STORY.encode())
    (folder / "b.txt").write_bytes(b"")
    (folder / "c.png").write_bytes(b"\x89PNG")
    (folder / "d.zip").write_bytes(b"no archive")
    (folder / "e.zip").write_bytes(zipped({"x.txt": STORY + "x", "y.zip": zipped({"z.txt": STORY})}))
    results = list(ingest(folder, tmp_path / "corpora"))
    assert [r.corpus.name if isinstance(r, Ingested) else str(r) for r in results] == [
        "a",
        "'texts/b.txt' must hold text, got nothing",
        "'texts/c.png' must end in .txt, .md, .csv, .tsv, .jsonl, .parquet or .zip",
        "'texts/d.zip' cannot be unpacked: File is not a zip file",
        "x",
        "'texts/e.zip/y.zip' must not be an archive inside an archive; unpack it first",
    ]
    assert len(list((tmp_path / "corpora").iterdir())) == 2


def test_upload_is_known_by_its_own_name(tmp_path):
    path = tmp_path / "tmp1234"
    path.write_bytes(STORY.encode())
    result = next(ingest(path, tmp_path / "corpora", name="My novel.txt"))
    assert (result.file, result.corpus.name) == ("My novel.txt", "My novel")
    path.write_bytes(b"")
    with pytest.raises(CorpusError, match=r"'My novel.txt' must hold text, got nothing"):
        next(ingest(path, tmp_path / "corpora", name="My novel.txt"))


def test_name_that_is_no_text_is_made_one(tmp_path):
    path = tmp_path / os.fsdecode(b"b\xe4d\n.txt")
    path.write_bytes(STORY.encode())
    assert next(ingest(path, tmp_path / "corpora")).corpus.name == "b?d?"


def test_group_name_that_is_no_text_is_made_one(tmp_path):
    rows = [{"text": STORY, "by": "a\ud800"}, {"text": STORY, "by": "b\0\tc"}, {"text": STORY, "by": " \n"}]
    (result,) = check_outcome(
        table(".jsonl", rows), "t.jsonl", tmp_path, text_column="text", group_column="by"
    )
    assert [segment.name for segment in result.corpus.segments] == ["a?", "b? c", "(none)"]


def test_bytes_read_are_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(STORY.encode())
    told = []
    list(ingest(tmp_path / "a.txt", tmp_path / "corpora", on_read=told.append))
    assert sum(told) == len(STORY.encode())


# What does not

REFUSED = {
    "empty": ("t.txt", b"", {}, "'t.txt' must hold text, got nothing"),
    "only a mark": ("t.txt", b"\xff\xfe", {}, "'t.txt' must hold text, got nothing"),
    "white space": ("t.txt", b" \n" * 2000, {}, "'t.txt' must hold text, got only white space"),
    "small": ("t.txt", b"x" * 1023, {}, "'t.txt' must hold at least 1,024 bytes of text, got 1,023"),
    "binary": ("t.txt", bytes(range(256)) * 20, {}, "'t.txt' must be text, got binary data"),
    "suffix": ("t.pdf", STORY.encode(), {}, "'t.pdf' must end in .txt, .md"),
    "no suffix": ("t", STORY.encode(), {}, "'t' must end in .txt, .md"),
    "encoding": ("t.txt", STORY.encode(), {"encoding": "ascii"}, "'t.txt' must be readable as ascii"),
    "columns of a text": ("t.txt", STORY.encode(), {"text_column": "a"}, "no columns in 't.txt'; only .csv"),
    "too large": (
        "t.txt",
        STORY.encode(),
        {"limits": Limits(max_file_bytes=2000)},
        "'t.txt' must have at most 2,000 bytes, got 3,",
    ),
    "too large unpacked": (
        "t.txt",
        STORY.encode("utf-16"),
        {"limits": Limits(max_text_bytes=2000)},
        "'t.txt' must hold at most 2,000 bytes of text, got more",
    ),
    "no rows": ("t.csv", b"a,text\n", {}, "'t.csv' must hold text, got a table without rows"),
    "twice the column": (
        "t.csv",
        b"a,a\n1,x\n",
        {},
        "columns of 't.csv' must have different names, got a, a",
    ),
    "too many fields": ("t.csv", b"a,b\n1,x\n1,x,y\n", {}, "line 3 of 't.csv' must have 2 fields"),
    "too few fields": ("t.csv", b"a,b\n1,x\n1\n", {}, "line 3 of 't.csv' must have 2 fields"),
    "open quote": ("t.csv", b'a,b\n1,"x\n', {}, "line 2 of 't.csv' is not csv: unexpected end of data"),
    "stray quote": ("t.csv", b'a,b\n1,"x"y\n', {}, "line 2 of 't.csv' is not csv"),
    "lone surrogate": ("t.jsonl", b'{"text": "\\ud800"}', {}, "'t.jsonl' must hold Unicode text, got a lone"),
    "nul": ("t.jsonl", b'{"text": "a\\u0000"}', {}, "column 'text' of 't.jsonl' must hold text, got binary"),
    "no object": ("t.jsonl", b'["text"]', {}, "line 1 of 't.jsonl' must be a JSON object, got list"),
    "no JSON": ("t.jsonl", b'{"text": "a"}\n{"text": ', {}, "line 2 of 't.jsonl' is not JSON"),
    "deep JSON": ("t.jsonl", b"[" * 100_000, {}, "line 1 of 't.jsonl' is not JSON"),
    "long number": ("t.jsonl", b"9" * 5000, {}, "line 1 of 't.jsonl' is not JSON"),
    "number as text": (
        "t.jsonl",
        b'{"text": "a"}\n{"text": 7}',
        {},
        "column 'text' of 't.jsonl' must hold text, got int 7",
    ),
    "text as group": (
        "t.jsonl",
        json.dumps({"text": "a", "by": STORY}).encode(),
        {"text_column": "text", "group_column": "by"},
        "values of group column 'by' in 't.jsonl' must have at most 200 characters",
    ),
    "many groups": (
        "t.jsonl",
        table(".jsonl", [{"text": "a", "by": i} for i in range(11)]),
        {"text_column": "text", "group_column": "by", "limits": Limits(max_groups=10)},
        "group column 'by' of 't.jsonl' must have at most 10 different values, got more",
    ),
    "no parquet": ("t.parquet", STORY.encode(), {}, "'t.parquet' is not parquet, or damaged"),
    "empty parquet": ("t.parquet", b"", {}, "'t.parquet' is not parquet, or damaged"),
    "no zip": ("t.zip", STORY.encode(), {}, "'t.zip' cannot be unpacked: File is not a zip file"),
    "empty zip": ("t.zip", zipped({}), {}, "no files in 't.zip'"),
    "full zip": (
        "t.zip",
        zipped({f"{i}.txt": "x" for i in range(6)}),
        {"limits": Limits(max_files=5)},
        "'t.zip' must have at most 5 files, got 6",
    ),
    "bomb": (
        "t.zip",
        zipped({f"{i}.txt": "x" * 100_000 for i in range(6)}),
        {"limits": Limits(max_unpacked_bytes=500_000)},
        "'t.zip' must unpack to at most 500,000 bytes, got 600,000",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_file_rule_and_value(tmp_path, case):
    name, data, options, message = REFUSED[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError) as refusal:
        list(ingest(tmp_path / name, tmp_path / "corpora", **options))
    assert message in str(refusal.value)
    assert list((tmp_path / "corpora").iterdir()) == []


def test_full_folder_is_refused_before_anything_is_stored(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.txt").write_text(STORY + str(i))
    with pytest.raises(CorpusError, match="folder 'texts' must have at most 5 files, got more"):
        list(ingest(folder, tmp_path / "corpora", limits=Limits(max_files=5)))
    assert list((tmp_path / "corpora").iterdir()) == []


def test_folder_without_files_is_refused(tmp_path):
    (tmp_path / "texts").mkdir()
    with pytest.raises(CorpusError, match="no files in 'texts'"):
        list(ingest(tmp_path / "texts", tmp_path / "corpora"))


def test_links_and_pipes_of_a_folder_are_not_read(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text(STORY)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "pipe.txt")
    assert [str(result) for result in ingest(folder, tmp_path / "corpora")] == [
        "'texts/link.txt' must be a file, got a link",
        "'texts/pipe.txt' must be a regular file",
    ]


@pytest.mark.parametrize("path", ["gone.txt", "gone", "x" * 5000, "a\0b.txt"])
def test_path_to_nothing_is_refused(tmp_path, path):
    with pytest.raises(CorpusError, match="no file or folder"):
        list(ingest(tmp_path / path, tmp_path / "corpora"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path):
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    (folder / "closed.txt").write_text(STORY)
    (folder / "closed.txt").chmod(0)
    (folder / "inner").chmod(0)
    closed, inner = ingest(folder, tmp_path / "corpora")
    assert str(closed) == "'texts/closed.txt' cannot be read or stored: Permission denied"
    assert "inner' cannot be read: Permission denied" in str(inner)


def test_encrypted_member_is_refused_by_name(tmp_path):
    data = bytearray(zipped({"a.txt": STORY}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    (result,) = check_outcome(bytes(data), "t.zip", tmp_path)
    assert str(result) == "'t.zip/a.txt' must not be encrypted"


def test_member_larger_than_it_says_is_refused(tmp_path):
    data = bytearray(zipped({"a.txt": STORY * 100}))
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = (5000).to_bytes(4, "little")
    (result,) = check_outcome(bytes(data), "t.zip", tmp_path)
    assert "'t.zip/a.txt' cannot be unpacked: Bad CRC-32" in str(result)


def test_reading_that_is_given_up_leaves_nothing(tmp_path):
    (tmp_path / "t.zip").write_bytes(zipped({"a.txt": STORY, "b.txt": STORY + "b"}))
    results = ingest(tmp_path / "t.zip", tmp_path / "corpora")
    first = next(results)
    results.close()
    assert list((tmp_path / "corpora").iterdir()) == [first.path]


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / "a.txt").write_bytes(STORY.encode())
    result = next(ingest(tmp_path / "a.txt", tmp_path / "corpora"))
    (tmp_path / "corpora" / ".ingest-killed").mkdir()
    (tmp_path / "corpora" / ".ingest-killed" / "text").write_text("half of a te")
    remove_leftovers(tmp_path / "corpora")
    assert list((tmp_path / "corpora").iterdir()) == [result.path]


# Whatever a file holds

GOOD = {
    ".txt": STORY.encode(),
    ".md": STORY.encode("utf-16"),
    ".csv": table(".csv", [{"text": STORY, "by": "Ann"}, {"text": "“x”,\n", "by": "Bob"}]),
    ".tsv": table(".tsv", [{"text": STORY, "by": "Ann"}, {"text": '"', "by": "Bob"}]),
    ".jsonl": table(".jsonl", [{"text": STORY, "by": "Ann"}, {"text": "\U0001f408", "by": None}]),
    ".parquet": table(".parquet", [{"text": STORY, "by": "Ann"}, {"text": "b", "by": "Bob"}]),
    ".zip": zipped({"a.txt": STORY, "b.csv": table(".csv", [{"text": STORY}]), "c/d.bin": bytes(100)}),
}
CHOICES = [{}, {"text_column": "text"}, {"text_column": "text", "group_column": "by"}]


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("kind", GOOD)
def test_damaged_file_is_a_good_corpus_or_a_named_error(tmp_path, kind, seed):
    rng = random.Random(seed)
    data = bytearray(GOOD[kind])
    for _ in range(rng.choice([1, 1, 2, 10, 100])):
        at = rng.randrange(len(data))
        length = rng.choice([1, 1, 4, 40])
        action = rng.choice(["change", "cut", "insert", "repeat", "end"])
        if action == "change":
            data[at : at + length] = rng.randbytes(length)
        elif action == "cut":
            del data[at : at + length]
        elif action == "insert":
            data[at:at] = rng.choice([b"\0", b'"', b"\xff\xfe", b"\\ud800", b"\n", rng.randbytes(length)])
        elif action == "repeat":
            data[at:at] = data[at : at + 300]
        elif len(data) > 600:
            del data[-rng.randrange(1, 500) :]
    choices = {} if kind in (".txt", ".md", ".zip") else rng.choice(CHOICES)
    check_outcome(bytes(data), f"broken{kind}", tmp_path, **choices)


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("other", GOOD)
def test_file_with_the_suffix_of_another_kind_is_a_good_corpus_or_a_named_error(tmp_path, kind, other):
    check_outcome(GOOD[other], f"wrong{kind}", tmp_path)


@pytest.mark.parametrize("kind", GOOD)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=3000), encoding=st.sampled_from(["auto", "utf-8", "utf-16", "gb18030", "latin-1"])
)
def test_any_bytes_are_a_good_corpus_or_a_named_error(tmp_path_factory, kind, data, encoding):
    check_outcome(data, f"any{kind}", tmp_path_factory.mktemp("any"), encoding=encoding)


@pytest.mark.parametrize("encoding", ["auto", "utf-8", "gb18030", "shift_jis", "utf-16", "cp1252", "koi8-r"])
@pytest.mark.parametrize("other", ["utf-8", "gb18030", "shift_jis", "utf-16", "cp1252", "koi8-r"])
def test_two_encodings_in_one_file_are_a_good_corpus_or_a_named_error(tmp_path, encoding, other):
    mixed = STORY.encode() + "Ξένος, чужой, 外国, étranger\n".encode(other, "ignore") * 50
    check_outcome(mixed, "mixed.txt", tmp_path, encoding=encoding)
