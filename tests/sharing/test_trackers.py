"""Runs to other trackers and back, by their own libraries."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from metalm.errors import ConfigError, RunStateError
from metalm.home import Home
from metalm.sharing.histories import PARTS, History, Scalar, history_of, moment_of, take_in
from metalm.sharing.trackers import SOURCES, TRACKERS, export_to, folder_names, import_from

ROOT = Path(__file__).parents[2]


@pytest.fixture
def other(tmp_path):
    """A home without runs."""
    with Home.open(tmp_path / "other", samples=False) as home:
        yield home


@pytest.fixture(params=SOURCES)
def tracker(request):
    """Each that gives runs back and is installed."""
    pytest.importorskip(TRACKERS[request.param].library, reason=f"{request.param} is an optional extra")
    return request.param


def test_a_history_has_losses_scalars_and_results(shared_home):
    history = history_of(shared_home, "first")
    names = {scalar.name for scalar in history.scalars}
    assert {
        "validation/bits_per_byte",
        "query/nats",
        "query/bytes",
        "gradient_norm",
        "drift/linear.bias",
    } <= names
    assert history.params["algorithm.inner.steps"] == 2
    assert set(history.results) == {
        f"meta-validation/{size} bytes/bits_per_byte {end}"
        for size in (0, 512)
        for end in ("before", "after")
    }


@pytest.mark.filterwarnings("default")  # theirs
def test_a_run_comes_back_with_its_curves_and_settings(shared_home, other, tracker, tmp_path):
    there = export_to(shared_home, ["first", '<second> & "co"'], tracker, str(tmp_path / "out"))
    assert len(set(there)) == 2
    runs = import_from(other, tracker, str(tmp_path / "out"), {})
    assert {run.status for run in runs} == {"imported"}
    came = next(run for run in runs if run.name == "first")
    mine = shared_home.run("first")
    assert (came.config, came.algorithm, came.seed, came.notes) == (mine.config, "fomaml", 0, "a note")
    assert set(came.tags) == {"ä", tracker}
    assert came.step == mine.step
    for part in PARTS:
        left, right = (
            home.store.metrics.curve([run.id], part) for home, run in ((shared_home, mine), (other, came))
        )
        assert list(left["step"]) == list(right["step"])
        np.testing.assert_allclose(left["nats"], right["nats"], rtol=1e-6)
        assert list(left["bytes"]) == list(right["bytes"])
    norm = other.store.metrics.scalar_curve([came.id], "gradient_norm")
    assert len(norm) == len(shared_home.store.metrics.scalar_curve([mine.id], "gradient_norm")) > 0


@pytest.mark.filterwarnings("default")
def test_an_imported_run_is_refused_where_weights_are_needed(shared_home, other, tracker, tmp_path):
    export_to(shared_home, ["first"], tracker, str(tmp_path / "out"))
    [run] = import_from(other, tracker, str(tmp_path / "out"), {})
    for refused in (
        lambda: other.load(run.id),
        lambda: other.export_run(run.id, tmp_path / "bundle"),
        lambda: other.requeue_run(run.id),
        lambda: other.extend_run(run.id, 1),
    ):
        with pytest.raises(RunStateError, match="it is imported"):
            refused()
    other.delete_run(run.id)
    assert other.runs() == []


@pytest.mark.filterwarnings("default")
def test_a_run_of_another_program_keeps_its_names_and_its_loss_is_named(other, tmp_path):
    writer_of = pytest.importorskip("tensorboard.summary.writer.event_file_writer").EventFileWriter
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    writer = writer_of(str(tmp_path / "logs" / "lstm" / "a"))
    for step in range(3):
        values = [Summary.Value(tag=tag, simple_value=3.0 - step) for tag in ("val/loss", "lr")]
        writer.add_event(Event(wall_time=1e9 + step, step=step, summary=Summary(value=values)))
    writer.close()
    with pytest.raises(
        ConfigError, match=r"validation must be a scalar of 'lstm/a', got 'loss'; it has lr, val/loss"
    ):
        import_from(other, "tensorboard", str(tmp_path / "logs"), {"validation": "loss"})
    [run] = import_from(other, "tensorboard", str(tmp_path / "logs"), {"validation": "val/loss"})
    assert (run.name, run.algorithm, run.step, run.seconds) == ("lstm/a", "tensorboard", 2, 2.0)
    curve = other.store.metrics.curve([run.id], "validation", x="wall_seconds")
    assert list(curve["nats"] / curve["tokens"]) == [3.0, 2.0, 1.0]
    assert list(curve["bytes"]) == [0, 0, 0]
    assert list(other.store.metrics.scalar_curve([run.id], "lr")["value"]) == [3.0, 2.0, 1.0]
    assert run.config["imported"]["from"] == "tensorboard"


@pytest.mark.filterwarnings("default")
def test_wandb_gets_an_offline_run(shared_home, tmp_path):
    pytest.importorskip("wandb", reason="wandb is an optional extra")
    [folder] = export_to(shared_home, ["first"], "wandb", str(tmp_path / "out"))
    [log] = Path(folder).glob("*.wandb")
    assert b"validation/bits_per_byte" in log.read_bytes()


def test_what_cannot_be_is_refused(shared_home, other, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="tracker must be one of tensorboard, mlflow, wandb, got 'aim'"):
        export_to(shared_home, ["first"], "aim", str(tmp_path))
    with pytest.raises(ConfigError, match="one of tensorboard, mlflow, got 'wandb'"):
        import_from(other, "wandb", str(tmp_path), {})
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="pip install 'tensorboard==2.21.0'"):
        export_to(shared_home, ["first"], "tensorboard", str(tmp_path))


@pytest.mark.filterwarnings("default")
def test_folders_without_a_run_are_refused(other, tmp_path, tracker):
    with pytest.raises(ConfigError, match="a folder that exists"):
        import_from(other, tracker, str(tmp_path / "nothing"), {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="it has none"):
        import_from(other, tracker, str(tmp_path / "empty"), {})


@pytest.mark.filterwarnings("default")
def test_a_store_that_is_none_is_told_in_a_sentence(other):
    pytest.importorskip("mlflow", reason="mlflow is an optional extra")
    with pytest.raises(ConfigError, match="must be a store of MLflow that answers"):
        import_from(other, "mlflow", "nonsense://nowhere", {})


def test_a_folder_of_a_run_leads_nowhere_else_and_is_shared_with_none():
    names = ["..", "/etc/x", "a/b", "a-b", "", "\0", "über " * 100, "\n..", "v1.5"]
    told = folder_names(names)
    assert told == ["run", "-etc-x", "a-b", "a-b-2", "run-2", "-", told[6], "--2", "v1.5"]
    assert len(told[6].encode()) <= 150
    assert all(Path("out", name).resolve().parent == Path("out").resolve() for name in told)


def test_parameters_of_another_program_are_notes_without_markup(other):
    params = {"a|b": "![x](http://example.org/x.png)", "c": "$1 **2**"}
    history = History(
        name="theirs",
        began=moment_of(0.0),
        params=params,
        scalars=[Scalar("loss", 1, 0.0, 1.0)],
        results={},
        told={},
    )
    notes = take_in(other, history, "mlflow", {}).notes
    assert r"| a\|b | \!\[x\]\(http\://example.org/x.png\) |" in notes
    assert r"| c | \$1 \*\*2\*\* |" in notes


def test_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"] == {each.name: [each.requirement] for each in TRACKERS.values()}


@pytest.mark.filterwarnings("default")
def test_an_import_that_is_stopped_while_it_reads_takes_nothing_in(shared_home, other, tracker, tmp_path):
    export_to(shared_home, ["first", '<second> & "co"'], tracker, str(tmp_path / "out"))
    heard: list[int] = []

    def stop_at_two(num: int) -> None:
        heard.append(num)
        if num == 2:
            raise KeyboardInterrupt

    before = len(other.runs(archived=True))
    with pytest.raises(KeyboardInterrupt):
        import_from(other, tracker, str(tmp_path / "out"), {}, on_read=stop_at_two)
    assert heard == [1, 2]
    assert len(other.runs(archived=True)) == before
