"""What a form is told of a table, and which files a path stands for."""

import csv
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.errors import CorpusError
from metalm.text import tables
from metalm.text.archives import DEFAULT_LIMITS
from metalm.text.readers import Choices, Columns, columns, documents, source_files, total_bytes

ROWS = [{"id": i, "body": f"line {i}, said “{i}”", "author": "AB"[i % 2]} for i in range(10)]


def write_csv(path, delimiter=","):
    path.write_text(
        "id,body,author\n".replace(",", delimiter)
        + "".join(f'{r["id"]}{delimiter}"{r["body"]}"{delimiter}{r["author"]}\n' for r in ROWS)
    )


def write_jsonl(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_parquet(path):
    pq.write_table(pa.Table.from_pylist(ROWS), path)


WRITERS = {".csv": write_csv, ".tsv": lambda path: write_csv(path, "\t"), ".jsonl": write_jsonl}
WRITERS[".parquet"] = write_parquet


def read(path, **choices):
    """(group, text) of every document of a file."""
    return list(documents(path, path.name, Choices(**choices), lambda _: None)[1])


@pytest.fixture(params=WRITERS)
def table(request, tmp_path):
    path = tmp_path / f"table{request.param}"
    WRITERS[request.param](path)
    return path


def test_columns_are_listed_with_guesses(table):
    assert columns(table) == Columns(("id", "body", "author"), "body", "author")


def test_rows_are_read_from_the_chosen_columns(table):
    expected = [(row["author"], row["body"] + "\n") for row in ROWS]
    assert read(table, text_column="body", group_column="author") == expected
    assert read(table, text_column="body") == [(None, text) for _, text in expected]


def test_text_column_is_guessed_when_it_is_the_only_one_of_text(table):
    assert [text for _, text in read(table, group_column="author")] == [row["body"] + "\n" for row in ROWS]


def test_text_column_must_be_chosen_among_several(table):
    with pytest.raises(CorpusError, match=r"no text column chosen for 'table\..*'; it has id, body, author"):
        read(table)


@pytest.mark.parametrize(
    "choice", [{"text_column": "boddy"}, {"text_column": "body", "group_column": "boddy"}]
)
def test_columns_must_be_there(table, choice):
    with pytest.raises(CorpusError, match=r"no column 'boddy' in 'table\..*'; it has id, body, author"):
        read(table, **choice)


def test_text_and_group_column_must_differ(table):
    with pytest.raises(CorpusError, match="must differ from the text column, got 'body' for both"):
        read(table, text_column="body", group_column="body")


def test_bytes_read_add_up_to_the_file(table):
    told = []
    list(documents(table, table.name, Choices(text_column="body"), told.append)[1])
    assert sum(told) == table.stat().st_size == total_bytes(table)


def test_column_named_text_is_meant_among_several(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("title,text\nOne,first story\nTwo,second story\n")
    assert read(path) == [(None, "first story\n"), (None, "second story\n")]
    assert columns(path).text == "text"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separator_of_csv_is_that_of_its_header(tmp_path, delimiter):
    write_csv(tmp_path / "table.csv", delimiter)
    assert columns(tmp_path / "table.csv").names == ("id", "body", "author")


def test_tsv_may_hold_quotes_that_quote_nothing(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text('n\ttext\n1\t"Well," she said.\n2\tand "so on\n')
    assert [text for _, text in read(path)] == ['"Well," she said.\n', 'and "so on\n']


def test_quoted_fields_may_hold_lines_and_separators(tmp_path):
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        path = tmp_path / f"table{suffix}"
        path.write_bytes(f'n{delimiter}text\r\n1{delimiter}"a{delimiter}b\r\n""c"""\r\n'.encode())
        assert read(path) == [(None, f'a{delimiter}b\n"c"\n')]


def test_empty_fields_are_no_documents(tmp_path):
    path = tmp_path / "table.jsonl"
    path.write_text('{"text": "a"}\n\n{"text": null}\n{"text": ""}\n{"other": 1}\n{"text": "b\\r\\nc"}\n')
    assert [text for _, text in read(path)] == ["a\n", "b\nc\n"]


def test_rows_without_a_group_are_a_group(tmp_path):
    path = tmp_path / "table.jsonl"
    rows = [{"text": "a", "by": None}, {"text": "b"}, {"text": "c", "by": " x \n y "}, {"text": "d", "by": 7}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [group for group, _ in read(path, text_column="text", group_column="by")] == [
        "(none)",
        "(none)",
        "x y",
        "7",
    ]


def test_dictionary_and_large_strings_of_parquet_are_text(tmp_path):
    path = tmp_path / "table.parquet"
    kinds = {"a": pa.dictionary(pa.int32(), pa.string()), "b": pa.large_string(), "c": pa.list_(pa.string())}
    columns_of = {
        name: pa.array([["x"]] if name == "c" else ["x"]).cast(kind) for name, kind in kinds.items()
    }
    pq.write_table(pa.table(columns_of), path)
    assert columns(path).names == ("a", "b", "c")
    assert read(path, text_column="a", group_column="b") == [("x", "x\n")]


def test_parquet_of_many_row_groups_is_read_in_order(tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(5000)]}), path, row_group_size=700)
    assert [text for _, text in read(path)] == [f"row {i}\n" for i in range(5000)]


@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
def test_huge_field_is_read_and_a_field_beyond_the_limit_is_refused(tmp_path, monkeypatch, kind):
    path = tmp_path / f"table{kind}"
    text = "many words " * 300_000
    path.write_text(f"text\n{text}\n" if kind == ".csv" else json.dumps({"text": text}))
    assert read(path) == [(None, text + "\n")]
    monkeypatch.setattr(tables, "MAX_FIELD_CHARS", 1_000_000)
    with pytest.raises(CorpusError, match=r"lines of 'table\..*' must have at most 1,000,000 characters"):
        read(path)


def test_quote_that_is_never_closed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_FIELD_CHARS", 1000)
    path = tmp_path / "table.csv"
    path.write_text('text\n"open\n' + "line\n" * 500)
    with pytest.raises(
        CorpusError, match=r"line \d+ of 'table.csv' is not csv: field larger than field limit"
    ):
        read(path)


@settings(max_examples=80)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1
    ),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
)
def test_any_texts_come_back_from_a_table(tmp_path_factory, texts, kind):
    path = tmp_path_factory.mktemp("table") / f"table{kind}"
    rows = [{"n": "1", "text": text} for text in texts]
    if kind == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, ["n", "text"], delimiter="\t" if kind == ".tsv" else ",", quoting=csv.QUOTE_ALL
            )
            writer.writeheader()
            writer.writerows(rows)
    lines = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    found = [text for _, text in read(path, encoding="utf-8", text_column="text")]
    assert found == [line if line.endswith("\n") else line + "\n" for line in lines]


def test_only_tables_have_columns(tmp_path):
    (tmp_path / "novel.txt").write_text("text")
    with pytest.raises(
        CorpusError, match=r"'novel.txt' must end in .csv, .tsv, .jsonl, .parquet to have columns"
    ):
        columns(tmp_path / "novel.txt")


def test_table_of_numbers_has_no_column_of_text(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n1,2.5\n3,4e9\n")
    with pytest.raises(CorpusError, match=r"no column of text in 'table.csv'; it has a, b"):
        columns(tmp_path / "table.csv")


def test_folder_stands_for_its_files_in_order_archives_unpacked_links_refused(tmp_path):
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.txt", "a.md", "inner/c.txt", ".hidden", "photo.png"):
        (folder / name).write_text("text")
    (folder / "secret").symlink_to(tmp_path)
    (folder / "link.txt").symlink_to(folder / "b.txt")
    with zipfile.ZipFile(folder / "pack.zip", "w") as pack:
        pack.writestr("inside/d.txt", "text")
        pack.writestr("__MACOSX/d.txt", "text")
        pack.writestr("inside/.DS_Store", "text")
    found = list(source_files(folder, "texts", DEFAULT_LIMITS))
    assert [each.name for each in found if not isinstance(each, CorpusError)] == [
        "texts/a.md",
        "texts/b.txt",
        "texts/pack.zip/inside/d.txt",
        "texts/photo.png",
        "texts/inner/c.txt",
    ]
    assert [str(each) for each in found if isinstance(each, CorpusError)] == [
        "'texts/link.txt' must be a file, got a link",
        "'texts/secret' must be a file, got a link",
    ]
    assert total_bytes(folder) == 16


def test_names_in_an_archive_never_become_paths(tmp_path):
    evil = ["../up.txt", "/etc/absolute.txt", "a/../../b.txt", "C:\\windows.txt", "..\\up.txt"]
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as pack:
        for name in evil:
            pack.writestr(name, "text " * 1000)
    scratch = tmp_path / "deep" / "scratch"
    scratch.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    for member in source_files(tmp_path / "evil.zip", "evil.zip", DEFAULT_LIMITS):
        with pytest.raises(CorpusError, match=r"'evil.zip/.*' must be a name inside its archive"):
            member.fetch(scratch, DEFAULT_LIMITS)
    assert sorted(tmp_path.rglob("*")) == before


def test_link_in_an_archive_is_refused(tmp_path):
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as pack:
        pack.writestr(link, "/etc/passwd")
    (member,) = source_files(tmp_path / "links.zip", "links.zip", DEFAULT_LIMITS)
    with pytest.raises(CorpusError, match=r"'links.zip/link.txt' must be a file, got a link"):
        member.fetch(tmp_path, DEFAULT_LIMITS)


def test_nothing_at_a_path_is_told(tmp_path):
    with pytest.raises(CorpusError, match="no file or folder '.*gone.txt'"):
        list(source_files(tmp_path / "gone.txt", "gone.txt", DEFAULT_LIMITS))


def test_archive_members_packed_in_other_ways_are_refused(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_BZIP2) as pack:
        pack.writestr("a.txt", "text " * 1000)
    (tmp_path / "bz.zip").write_bytes(data.getvalue())
    (member,) = source_files(tmp_path / "bz.zip", "bz.zip", DEFAULT_LIMITS)
    with pytest.raises(CorpusError, match="must be stored or deflated, got another compression"):
        member.fetch(tmp_path, DEFAULT_LIMITS)
