"""The benchmark of the dashboard: its rows, the homes and stores that it fills, and all of it in little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from screens import made, tracker_data  # noqa: E402
from screens.rows import absent, row  # noqa: E402

from metalm.home import Home  # noqa: E402


def test_a_row_has_what_the_issue_names():
    told = json.loads(row("a page", 0.123456, "s", 0.2).as_json())
    assert told == {"work": "a page", "value": 0.123, "unit": "s", "target": 0.2, "met": True}


@pytest.mark.parametrize(("value", "met"), [(0.2, True), (0.2001, False)])
def test_a_value_is_judged_before_it_is_rounded(value, met):
    judged = row("a page", value, "s", 0.2)
    assert (judged.value, judged.met) == (0.2, met)


def test_what_has_no_target_is_neither_met_nor_missed():
    assert json.loads(row("a peer", 1234.4, "kB").as_json())["met"] is None
    assert row("a peer", 1234.4, "kB").as_markdown() == "| a peer | 1,234 kB |  |  |"


def test_an_absent_peer_says_so():
    assert absent("a peer", "s").as_line().split() == ["a", "peer", "-", "not", "installed"]


def test_many_runs_have_as_many_keys_as_asked(tmp_path):
    runs = made.many_runs(tmp_path / "home", 12, 60)
    assert {len(made.settings(run.config)) for run in runs} == {60}
    with Home.open(tmp_path / "home") as home:
        assert {run.id for run in runs} <= {run.id for run in home.runs()}


def test_a_long_run_has_a_point_a_step_and_goes_on(tmp_path):
    [name] = made.long_runs(tmp_path / "home", 1, 400)
    with Home.open(tmp_path / "home") as home:
        [run] = [run for run in home.runs() if run.name == name]
        home.store.metrics.add(run.id, made.points(run.seed, 401))
        home.store.flush()
        curve = home.store.metrics.curve([run.id], "query", points=500)
        assert list(curve["step"]) == list(range(1, 402))
        assert curve["nats"][:400].to_numpy() == pytest.approx(made.losses(run.seed, np.arange(1, 401)))
        validated = home.store.metrics.curve([run.id], "validation")
        assert list(validated["step"]) == [200, 400]


RUNS = [{"name": "maml 0", "params": {"lr": 0.1, "layers": [1, 2], "name": "a"}, "metric": 2.5}]
CURVES = np.array([[3.0, 2.0, 1.0], [4.0, 3.0, 2.5]])


@pytest.mark.filterwarnings("default")  # theirs
def test_tensorboard_reads_what_was_written_for_it(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker_data.tensorboard(RUNS, CURVES, tmp_path)
    events = EventAccumulator(str(tmp_path / "curves" / "run 01"))
    events.Reload()
    points = [(event.step, event.value) for event in events.Scalars(tracker_data.METRIC)]
    assert points == [(1, 4.0), (2, 3.0), (3, 2.5)]
    settings = EventAccumulator(str(tmp_path / "runs" / "maml 0"))
    settings.Reload()
    assert len(settings.PluginTagToContent("hparams")) == 2


@pytest.mark.filterwarnings("default")  # theirs
def test_mlflow_reads_what_was_written_for_it(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    tracker_data.mlflow(RUNS, CURVES, tmp_path)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    many, long = (client.get_experiment_by_name(name) for name in tracker_data.EXPERIMENTS)
    [run] = client.search_runs([many.experiment_id])
    assert run.data.params == {"lr": "0.1", "layers": "[1, 2]", "name": "a"}
    assert len(client.search_runs([long.experiment_id])) == 2
    history = client.get_metric_history(f"{1:032x}", tracker_data.METRIC)
    assert [(point.step, point.value) for point in history] == [(1, 4.0), (2, 3.0), (3, 2.5)]


@pytest.mark.filterwarnings("default")  # theirs
def test_aim_reads_what_was_written_for_it(tmp_path):
    aim = pytest.importorskip("aim")
    (tmp_path / "runs.json").write_text(json.dumps(RUNS))
    np.save(tmp_path / "curves.npy", CURVES)
    # In a process of its own: what Aim writes is there for others when it has ended.
    command = [sys.executable, "-m", "screens.tracker_data", "aim", str(tmp_path), str(tmp_path)]
    subprocess.run(command, cwd=BENCHMARKS, check=True)

    def read(part: str) -> list[aim.Run]:
        path = str(tmp_path / part)
        keys = aim.Repo.from_path(path).list_all_runs()
        return [aim.Run(key, repo=path, read_only=True) for key in keys]

    [run] = read("runs")
    assert (run.name, run["hparams"]["lr"], list(run["hparams"]["layers"])) == ("maml 0", 0.1, [1, 2])
    curves = {}
    for run in read("curves"):
        [metric] = run.metrics()
        points = metric.dataframe()
        curves[run.name] = list(zip(points["step"], points["value"], strict=True))
    assert curves["run 01"] == [(1, 4.0), (2, 3.0), (3, 2.5)]


@pytest.mark.filterwarnings("default")  # theirs
def test_trackio_reads_what_was_written_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))  # before the import, which reads it
    pytest.importorskip("trackio")
    tracker_data.trackio(RUNS, CURVES, tmp_path)
    from trackio.sqlite_storage import SQLiteStorage

    assert SQLiteStorage.get_run_config("runs", "maml 0")["layers"] == [1, 2]
    points = [(log["step"], log[tracker_data.METRIC]) for log in SQLiteStorage.get_logs("curves", "run 01")]
    assert points == [(1, 4.0), (2, 3.0), (3, 2.5)]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("part", "targets"),
    [
        ("runs", {"first table": 0.8, "filter": 0.2, "first table in the browser": 2.5}),
        ("curves", {"first draw": 0.5, "zoom": 0.4, "live refresh": 0.3, "sent at a refresh": 50}),
        (
            "tabs",
            {f"growth of the {who}'s memory after the first 3": 10 for who in ("server", "browser")},
        ),
    ],
)
def test_a_part_in_little(part, targets):
    command = [sys.executable, str(BENCHMARKS / "dashboard.py"), "--json", "--quick", "--only", part]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(set(each) == {"work", "value", "unit", "target", "met"} for each in rows)
    found = {each["work"].split(": ")[-1]: each["target"] for each in rows}
    assert targets.items() <= found.items()
