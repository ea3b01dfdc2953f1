"""Every command, typed as a user types it: JSON lines for programs, tables for people, errors in one line."""

import json

import pytest
from homes import SPLIT, TINY_FOMAML, TINY_JOINT, small_home

FIELDS = [
    "run",
    "task",
    "role",
    "track",
    "method",
    "support_bytes",
    "draw",
    "step",
    "nats",
    "tokens",
    "bytes",
]


@pytest.fixture(autouse=True)
def _small(terminal, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    small_home(terminal.home, tmp_path / "texts").close()


def settings(values):
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def test_a_run_is_trained_evaluated_adapted_and_sampled(terminal, tmp_path):
    words = ["train", "--split", SPLIT, "--algorithm", "joint", "--steps", 2, "--name", "first", "--seed", 3]
    queued, *reports, ended = terminal.lines(*words, *settings(TINY_JOINT))
    assert (queued["event"], ended["event"], ended["status"]) == ("queued", "ended", "finished")
    assert [report["step"] for report in reports] == [0, 1, 2]
    (listed,) = terminal.runs()
    assert {key: listed[key] for key in ("id", "name", "status", "seed")} == {
        "id": queued["run"],
        "name": "first",
        "status": "finished",
        "seed": 3,
    }
    rows = terminal.lines("evaluate", "first", "--support", "0,512", "--steps", 1)
    assert [(row["support_bytes"], row["step"]) for row in rows] == [(0, 0), (512, 0), (512, 1)]
    assert set(FIELDS + ["bits_per_byte"]) <= set(rows[0])
    assert {row["run"] for row in rows} == {queued["run"]}
    assert {(row["task"], row["role"], row["method"]) for row in rows} == {
        ("gamma", "meta-validation", "adapt")
    }
    files = [tmp_path / "support.txt", tmp_path / "query.txt"]
    for file in files:
        file.write_text("abcde fgh " * 40, encoding="utf-8")
    steps = terminal.lines(
        "adapt", queued["run"][:6], "--support", files[0], "--query", files[1], "--steps", 2
    )
    assert [list(step) for step in steps] == [["step", "nats", "tokens", "bytes", "bits_per_byte"]] * 3
    assert [step["step"] for step in steps] == [0, 1, 2]
    (sample,) = terminal.lines("sample", "first", "--bytes", 20, "--prompt", "abc", "--support", files[0])
    assert sample["text"]


def test_json_may_stand_before_the_command_too(terminal):
    terminal.run("--json", "corpora", "list")
    assert json.loads(terminal.out.splitlines()[0])["name"] == "alpha"


def test_people_get_tables(terminal):
    terminal.run("corpora", "list")
    header, first = terminal.out.splitlines()[:2]
    assert header.split()[0] == "name"
    assert first.split()[0] == "alpha"
    terminal.run("splits", "show", SPLIT)
    assert "meta-validation" in terminal.out
    terminal.run("study", "list")
    assert (terminal.code, terminal.out, terminal.err) == (0, "", "nothing there yet\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["corpora", "show", "nothing"], "no corpus 'nothing' in the home"),
        (["corpora", "delete", "alpha"], "corpus 'alpha' must not be in use to be deleted"),
        (["corpora", "add", "missing.txt"], "missing.txt"),
        (["splits", "create", "x", "--validation", "nothing"], "no task 'nothing'"),
        (["splits", "create", "x", "--validation", "alpha", "--test", "alpha"], "must have one role"),
        (["splits", "create", "x", "--corpora", "alpha"], "meta-train"),
        (["train", "--split", "nothing"], "no split 'nothing' in the home"),
        (["train", "--split", SPLIT, "--algorithm", "magic"], "algorithm must be one of"),
        (["train", "--split", SPLIT, "--preset", "huge"], "preset must be one of"),
        (["train", "--split", SPLIT, "--set", "inner.lr=-1"], "inner.lr must be 0 or more, got -1"),
        (["train", "--split", SPLIT, "--set", "inner.magic=1"], "no setting 'inner.magic'"),
        (["train", "--split", SPLIT, "--device", "tpu"], "device must be one of"),
        (["train", "--split", SPLIT, "--init", "nothing"], "no run 'nothing' in the home"),
        (["runs", "show", "nothing"], "no run 'nothing' in the home"),
        (["runs", "extend", "nothing", "--steps", 3], "no run 'nothing' in the home"),
        (["runs", "import", "."], "bundle"),
        (["evaluate", "nothing"], "no run 'nothing' in the home"),
    ],
)
def test_a_metalm_error_is_one_line_and_1(terminal, words, message):
    terminal.run(*words, "--json")
    assert terminal.code == 1
    assert message in terminal.err
    assert terminal.err.count("\n") == 1
    assert terminal.out == ""


def test_a_bad_file_among_others_is_refused_and_the_others_are_added(terminal, tmp_path):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("words and words " * 200, encoding="utf-8")
    bad.write_bytes(b"")
    terminal.run("corpora", "add", good, bad, "--json")
    assert terminal.code == 1
    assert [json.loads(line)["event"] for line in terminal.out.splitlines()] == ["added", "refused"]
    assert terminal.err == f"files refused: 1, the first was {str(bad)!r}\n"


def test_a_run_leaves_and_comes_back_as_a_bundle(terminal, tmp_path):
    words = ["train", "--split", SPLIT, "--steps", 1, "--name", "traveller"]
    terminal.lines(*words, *settings(TINY_FOMAML))
    terminal.lines("runs", "export", "traveller", tmp_path / "bundle", "--half", "--points", 2)
    terminal.lines("runs", "delete", "traveller")
    assert terminal.runs() == []
    (line,) = terminal.lines("runs", "import", tmp_path / "bundle")
    assert (line["name"], line["status"]) == ("traveller", "finished")
    (line,) = terminal.lines("runs", "archive", "traveller")
    assert line["event"] == "archived"
    assert terminal.runs() == []
    assert terminal.run("runs", "extend", "traveller", "--minutes", "1").code == 1
    assert "must be extended in steps, got minutes" in terminal.err
