"""`metalm study`: from a question to its report in one command, and what can be done with it later."""

from pathlib import Path

import pytest
from homes import SPLIT, TINY, small_home

QUICK = ", ".join(f"{key}={value}" for key, value in TINY.items() if not key.startswith("model"))
SETTINGS = {
    "joint_set": f"{QUICK}, model.hidden=8, model.embedding=8, joint.batch=2, joint.window=16",
    "meta_set": f"{QUICK}, inner.steps=1, inner.batch=1, inner.window=16",
    "beyond": "3",
}


@pytest.fixture(autouse=True)
def _small(terminal, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    small_home(terminal.home, tmp_path / "texts").close()


def test_a_study_is_run_listed_shown_reported_and_deleted(terminal):
    words = ["study", "run", "speed", "--split", SPLIT, "--tokens", 400, "--support", 256, "--name", "mine"]
    words += [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    lines = terminal.lines(*words)
    events = [line["event"] for line in lines]
    assert events == ["queued", *["training", "trained"] * 3, "evaluating", "reported", "ended"]
    assert (lines[-1]["status"], lines[-1]["runs_finished"]) == ("finished", 3)
    [listed] = terminal.lines("study", "list")
    assert (listed["name"], listed["kind"], listed["runs_planned"]) == ("mine", "speed", 3)
    [shown] = terminal.lines("study", "show", "mine")
    assert shown["settings"]["joint_tokens"] == 400
    assert [run["status"] for run in shown["runs"]] == ["finished"] * 3
    assert len(shown["findings"]) == 2
    [report] = terminal.lines("study", "report", "mine")
    assert Path(report["markdown"]).read_text(encoding="utf-8").startswith("# How fast on a new task?")
    resumed = terminal.lines("study", "resume", listed["id"][:6])
    assert [line["event"] for line in resumed] == ["queued", "evaluating", "reported", "ended"]
    terminal.lines("study", "delete", "mine")
    assert terminal.lines("study", "list") == []
    assert len(terminal.runs()) == 3


def test_settings_are_listed_with_what_they_mean(terminal):
    settings = {line["name"]: line for line in terminal.lines("study", "settings", "speed")}
    assert settings["beyond"]["default"] == 30
    assert all(line["help"] for line in settings.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "magic"], "no kind of study 'magic'"),
        (["run", "speed", "--split", "nothing"], "no split 'nothing' in the home"),
        (["run", "speed", "--split", SPLIT, "--set", "magic=1"], "no setting 'magic' of a speed study"),
        (["run", "speed", "--split", SPLIT, "--preset", "huge"], "preset must be one of"),
        (["show", "nothing"], "no study 'nothing' in the home"),
        (["stop", "nothing"], "no study 'nothing' in the home"),
    ],
)
def test_what_cannot_be_is_one_line_and_1(terminal, words, message):
    terminal.run("study", *words, "--json")
    assert terminal.code == 1
    assert message in terminal.err
    assert terminal.out == ""
