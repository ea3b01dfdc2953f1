"""Every operation gives the same lines whether the home is opened here or asked for at its owner."""

import json
import os
import time

import pytest
from homes import SPLIT, TINY_FOMAML, TINY_JOINT, running_app, small_home

from metalm import errors
from metalm.errors import ConfigError, CorpusError, HomeError, NotFoundError
from metalm.home import Home, read_owner
from metalm.operations.session import Local, open_session

# What differs between two homes that were told the same: random names, clocks, places, and how fast it went.
_DIFFERENT = {
    "id",
    "run",
    "job",
    "seconds",
    "created_at",
    "directory",
    "log",
    "parent",
    "file",
    "code_version",
    "init",
}


def same(value):
    """The value without what differs between two homes."""
    if isinstance(value, dict):
        return {key: same(part) for key, part in value.items() if key not in _DIFFERENT}
    return [same(part) for part in value] if isinstance(value, list) else value


def launch(algorithm, settings, **more):
    return {"split": SPLIT, "algorithm": algorithm, "settings": settings, **more}


def script(folder):
    """A run's whole life, and all that can be asked about it: (operation, arguments)."""
    text = folder / "text.txt"
    text.write_text("abcd efgh " * 300, encoding="utf-8")
    steps = {"budget.amount": "3"}
    return [
        ("corpora add", {"paths": [str(text)], "language": "Test"}),
        ("corpora list", {}),
        ("corpora show", {"corpus": "alpha"}),
        ("splits create", {"name": "other", "validation": ["beta"], "test": ["text"]}),
        ("splits list", {}),
        ("splits show", {"split": "other"}),
        ("splits audit", {"split": SPLIT}),
        ("train", launch("joint", {**TINY_JOINT, **steps}, name="first")),
        ("train", launch("fomaml", {**TINY_FOMAML, **steps}, name="second", init="first")),
        ("runs list", {}),
        ("runs show", {"run": "second"}),
        ("runs extend", {"run": "second", "unit": "steps", "amount": 2}),
        ("evaluate", {"runs": ["first", "second"], "support": [0, 512], "steps": 2}),
        ("adapt", {"run": "second", "support": str(text), "query": str(text), "steps": 2}),
        ("sample", {"run": "second", "num_bytes": 20, "seed": 3}),
        ("runs export", {"run": "second", "directory": str(folder / "bundle")}),
        ("runs delete", {"run": "second"}),
        ("runs import", {"directory": str(folder / "bundle")}),
        ("runs archive", {"run": "first"}),
        ("runs list", {"archived": True}),
        ("corpora delete", {"corpus": "text"}),
    ]


def lines_of(home_dir, folder):
    folder.mkdir()
    with open_session(home_dir, doing="test") as session:
        for name, arguments in script(folder):
            try:
                lines = list(session.call(name, **arguments))
            except errors.MetalmError as error:
                lines = [{"error": type(error).__name__, "message": str(error)}]
            yield name, same(json.loads(json.dumps(lines, allow_nan=False)))


def test_a_running_app_gives_the_same_lines_as_an_owned_home(tmp_path):
    for place in ("here", "there"):
        small_home(tmp_path / place, tmp_path / "texts").close()
    here = list(lines_of(tmp_path / "here", tmp_path / "here-files"))
    with running_app(tmp_path / "there"):
        there = list(lines_of(tmp_path / "there", tmp_path / "there-files"))
    for (name, mine), (_, theirs) in zip(here, there, strict=True):
        assert mine == theirs, name
        assert (mine == []) == (name == "splits audit"), name  # the texts share nothing
        assert (name == "corpora delete") == any("error" in line and line["error"] for line in mine), name


@pytest.mark.parametrize("way", ["local", "remote"])
@pytest.mark.parametrize(
    ("name", "arguments", "kind", "message"),
    [
        ("corpora show", {"corpus": "nothing"}, NotFoundError, "no corpus 'nothing'"),
        ("corpora add", {"paths": ["/no/such/file.txt"]}, CorpusError, "file.txt"),
        (
            "train",
            {"split": SPLIT, "settings": {"inner.lr": "-1"}},
            ConfigError,
            "inner.lr must be 0 or more",
        ),
        ("train", {"split": SPLIT, "steps": 3}, ConfigError, "arguments of 'train' must be those it takes"),
        ("runs stop", {"run": "nothing"}, NotFoundError, "no run 'nothing'"),
        ("adapt", {"run": "nothing", "support": "a", "query": "b"}, errors.MetalmError, "no"),
    ],
)
def test_errors_keep_their_class_and_words(request, way, name, arguments, kind, message):
    session = request.getfixturevalue(way)
    with pytest.raises(kind, match=message):
        list(session.call(name, **arguments))


def test_an_operation_that_does_not_exist_is_refused(local):
    with pytest.raises(NotFoundError, match="no operation 'corpora eat'"):
        list(local.call("corpora eat"))


def test_another_command_that_owns_the_home_is_named(home_dir):
    with Local(home_dir, doing="corpora add"), pytest.raises(HomeError, match="corpora add"):
        open_session(home_dir, doing="runs list")


def test_a_home_is_free_again_after_a_session(home_dir):
    with open_session(home_dir, doing="test"):
        assert read_owner(home_dir).doing == "test"
    assert read_owner(home_dir) is None
    with Home.open(home_dir, samples=False):
        assert read_owner(home_dir).pid == os.getpid()


def test_a_detached_run_waits_for_an_app(home_dir):
    settings = {**TINY_FOMAML, "budget.amount": "2"}
    with open_session(home_dir, doing="test") as session:
        (line,) = session.call("train", split=SPLIT, settings=settings, detach=True)
        assert line["event"] == "queued"
        assert [job.payload["run"] for job in session.jobs.queue()] == [line["run"]]
    with running_app(home_dir) as opened:
        while opened.home.run(line["run"]).status in ("queued", "running"):
            time.sleep(0.05)
        assert opened.home.run(line["run"]).status == "finished"


def test_a_follower_that_goes_away_leaves_the_run_alone(app, remote):
    settings = {**TINY_FOMAML, "budget.amount": "100000"}
    lines = remote.call("train", split=SPLIT, settings=settings)
    run_id = next(lines)["run"]
    assert next(lines)["event"] == "report"
    lines.close()
    step = app.home.run(run_id).step
    follower = remote.call("runs show", run=run_id)
    assert next(follower)["status"] == "running"
    while app.home.run(run_id).step <= step:
        assert app.home.run(run_id).status == "running"
    (line,) = remote.call("runs stop", run=run_id)
    assert line["event"] == "stopping"


def test_an_app_that_closes_ends_what_its_followers_hear(app, remote):
    lines = remote.call("train", split=SPLIT, settings={**TINY_FOMAML, "budget.amount": "100000"})
    while next(lines)["event"] != "report":  # a job that no worker has begun would stay queued
        pass
    app.jobs.halt()
    *_, last = lines
    assert last["status"] == "stopped"
