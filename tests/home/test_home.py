"""A home has one owner, mends what a killed one left, and starts with the samples."""

import os
import signal
import stat
from dataclasses import replace

import pytest

from metalm.errors import HomeError
from metalm.home import Home, read_owner
from metalm.home.owner import this_process, write_owner

HOLD = """
import sys, time
from metalm.home import Home
home = Home.open(sys.argv[1], doing="holding", samples=False)
home.publish(address="http://127.0.0.1:1", token="secret")
print("open", flush=True)
time.sleep(600)
"""


def test_the_owner_says_who_and_where_and_keeps_it_to_itself(home):
    home.publish(address="http://127.0.0.1:8501", token="secret")
    owner = read_owner(home.path)
    assert (owner.pid, owner.doing, owner.address, owner.token) == (
        os.getpid(),
        "test",
        "http://127.0.0.1:8501",
        "secret",
    )
    assert stat.S_IMODE((home.path / "owner.json").stat().st_mode) == 0o600
    home.close()
    home.close()
    assert read_owner(home.path) is None


def test_a_home_is_open_once_in_a_process(home):
    with pytest.raises(HomeError, match=r"owned by this process \(test, since"):
        Home.open(home.path)
    assert read_owner(home.path).pid == os.getpid()


def test_another_process_is_told_who_owns_the_home_and_a_dead_owner_is_followed(tmp_path, python):
    holder = python(HOLD, tmp_path)
    assert holder.stdout.readline() == "open\n", holder.stderr.read()
    assert read_owner(tmp_path).token == "secret"
    with pytest.raises(HomeError, match=rf"owned by process {holder.pid} \(holding, since"):
        Home.open(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert read_owner(tmp_path) is None
    with Home.open(tmp_path, samples=False):
        assert read_owner(tmp_path).pid == os.getpid()


def test_a_process_that_forgets_to_close_leaves_no_owner(tmp_path, python):
    code = "import sys; from metalm.home import Home; home = Home.open(sys.argv[1], samples=False)"
    process = python(code, tmp_path)
    assert process.wait(timeout=60) == 0
    assert not (tmp_path / "owner.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"boot_id": "the machine was started anew"},
        {"started": 1.0},  # the number belongs to another process by now
        {"pid": 2**22 + 1},  # no such process
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_stale_owner_is_taken_over(tmp_path, change):
    write_owner(tmp_path, replace(this_process("old"), **change))
    assert read_owner(tmp_path) is None
    with Home.open(tmp_path, doing="new", samples=False):
        assert read_owner(tmp_path).doing == "new"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": 1}', '"x"'])
def test_half_an_owner_file_is_nobody(tmp_path, content):
    (tmp_path / "owner.json").write_text(content)
    assert read_owner(tmp_path) is None


def test_a_home_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot be used"):
        Home.open(tmp_path / "file")


def test_the_samples_are_there_at_the_first_start_only(tmp_path):
    with Home.open(tmp_path) as home:
        assert len(home.corpora()) == 47
        names = [split.name for split in home.splits()]
        assert {"languages", "domains"} <= set(names)
        for name in names:
            assert home.texts(name, "meta-train")
        for run in home.runs():
            home.delete_run(run.id)
        for name in names:
            home.delete_split(name)
        for corpus in home.corpora():
            home.delete_corpus(corpus.id)
        assert list(home.corpora_dir.iterdir()) == []
    with Home.open(tmp_path) as home:
        assert home.corpora() == []
        assert home.splits() == []
        assert home.runs() == []


def test_the_sweep_interrupts_what_nobody_trains_and_removes_orphans(home, new_run):
    run = new_run(name="orphan")
    home.store.runs.start(
        run.id, step=-1, owes_validation=False, device="cpu", pid=2**22 + 1, boot_id="another"
    )
    left = [
        home.path / ("c" * 12) / "weights.safetensors",
        home.path / ".bundle-x" / "run.json",
        home.corpora_dir / ".ingest-x" / "text",
        home.corpora_dir / ("d" * 16 + ".txt"),
        home.tokens_dir / "x.part",
    ]
    kept = [
        home.path / ("e" * 12) / "holiday.jpg",
        home.path / "README.md",
        home.corpora_dir / "notes.txt",
    ]
    for file in (*left, *kept):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    path, corpora = home.path, home.corpora()
    home.close()
    with Home.open(path, samples=False) as again:
        assert again.run("orphan").status == "interrupted"
        assert "ended while it trained run 'orphan'" in again.store.events.of(run.id)["message"][0]
        assert not [file for file in left if file.exists()]
        assert not (home.path / ("c" * 12)).exists()
        assert [file for file in kept if not file.exists()] == []
        assert again.corpora() == corpora
        for corpus in corpora:
            assert again.corpus_path(corpus.id).stat().st_size == corpus.bytes


def test_a_failed_start_leaves_no_owner(tmp_path):
    (tmp_path / "metalm.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(HomeError, match="cannot be opened"):
        Home.open(tmp_path)
    assert not (tmp_path / "owner.json").exists()
