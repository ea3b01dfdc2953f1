"""Fills the stores of other trackers with the runs that metalm's homes have, by the trackers' own Python.

`python -m screens.tracker_data tensorboard|mlflow|aim|trackio SOURCE PLACE`. SOURCE has runs.json (a list of
name, params and metric) and curves.npy (bits per byte: runs x steps). What a tracker's own client would take
many minutes for is written as it would have: records of event files, rows of MLflow's tables. Aim's client
takes about 0.07 s a run.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Run = dict[str, Any]
METRIC = "bits_per_byte"
_BEGAN = 1_760_000_000.0
EXPERIMENTS = ("runs", "curves")
# Its page asks the server for each run, for all at once: of 5,000 it draws none.
TRACKIO_RUNS = 600


def tensorboard(runs: list[Run], curves: np.ndarray, place: Path) -> None:
    """A folder `runs` with settings (the plugin HParams), a folder `curves`."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    def scalar(step: int, value: float) -> Event:
        summary = Summary(value=[Summary.Value(tag=METRIC, simple_value=value)])
        return Event(wall_time=_BEGAN + step / 10, step=step, summary=summary)

    def settled(run: Run) -> Iterator[Event]:
        begin, end = _session(run["params"])
        yield Event(wall_time=_BEGAN, step=0, summary=begin)
        yield scalar(1, run["metric"])
        yield Event(wall_time=_BEGAN + 1, step=0, summary=end)

    for run in runs:
        _event_file(place / "runs" / run["name"], settled(run))
    for number, curve in enumerate(curves.tolist()):
        events = (scalar(step, value) for step, value in enumerate(curve, start=1))
        _event_file(place / "curves" / f"run {number:02d}", events)


def _session(params: dict[str, Any]) -> tuple[Any, Any]:
    """The summaries with which HParams begins and ends a run."""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

    plain = {key: v if isinstance(v, int | float | str | bool) else str(v) for key, v in params.items()}
    ended = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=_BEGAN + 1)
    end = summary_v2._summary_pb(
        metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=ended)
    )
    return summary_v2.hparams_pb(plain, start_time_secs=_BEGAN), end


def _event_file(folder: Path, events: Iterable[Any]) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    folder.mkdir(parents=True)
    with (folder / "events.out.tfevents.1760000000.made").open("wb") as file:
        for event in (Event(wall_time=_BEGAN, file_version="brain.Event:2"), *events):
            data = event.SerializeToString()
            length = struct.pack("<Q", len(data))
            crcs = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
            file.write(length + next(crcs) + data + next(crcs))


def mlflow(runs: list[Run], curves: np.ndarray, place: Path) -> None:
    """mlflow.db with the experiments `runs` and `curves`, the latter with runs of ids 0, 1, 2 ..."""
    from mlflow import MlflowClient

    place.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'mlflow.db'}")
    many, long = (client.create_experiment(name) for name in EXPERIMENTS)
    for experiment in (many, long):  # else its pages guess what it is about
        client.set_experiment_tag(experiment, "mlflow.experimentKind", "custom_model_development")
    last = curves.shape[1]
    with sqlite3.connect(place / "mlflow.db") as database:
        for run in runs:
            run_id = uuid.uuid4().hex
            _mlflow_run(database, run_id, run["name"], many, run["params"])
            _mlflow_points(database, run_id, [(1, run["metric"])])
        for number, curve in enumerate(curves.tolist()):
            run_id = f"{number:032x}"
            _mlflow_run(database, run_id, f"run {number:02d}", long, {"seed": number})
            _mlflow_points(database, run_id, list(zip(range(1, last + 1), curve, strict=True)))


def _mlflow_run(
    database: sqlite3.Connection, run_id: str, name: str, experiment: str, params: dict[str, Any]
) -> None:
    began = round(1000 * _BEGAN)
    database.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, source_version, "
        "user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'LOCAL', 'made.py', '', '', 'made', 'FINISHED', ?, ?, 'active', ?, ?)",
        [run_id, name, began, began + 1000, f"/nowhere/{run_id}/artifacts", int(experiment)],
    )
    tags = {"mlflow.runName": name, "mlflow.user": "made", "mlflow.source.name": "made.py"}
    for table, values in (("tags", tags), ("params", params)):
        database.executemany(
            f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)",  # noqa: S608 (the two names above)
            [(key, str(value), run_id) for key, value in values.items()],
        )


def _mlflow_points(database: sqlite3.Connection, run_id: str, points: list[tuple[int, float]]) -> None:
    columns = "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)"
    rows = [(METRIC, value, round(1000 * (_BEGAN + step / 10)), step, run_id) for step, value in points]
    for table, these in (("metrics", rows), ("latest_metrics", rows[-1:])):
        database.executemany(f"INSERT INTO {table} {columns}", these)  # noqa: S608 (the two names above)


def aim(runs: list[Run], curves: np.ndarray, place: Path) -> None:
    """A repository `runs` and a repository `curves`, with the index that `aim up` would make meanwhile."""
    from aim import Repo
    from aim import Run as AimRun
    from aim.sdk.index_manager import RepoIndexManager

    def begun(part: str, name: str) -> AimRun:
        run = AimRun(
            repo=str(place / part),
            experiment=part,
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )
        run.name = name
        return run

    repositories = []
    for part in EXPERIMENTS:
        (place / part).mkdir(parents=True)
        repositories.append(Repo.from_path(str(place / part), init=True))
    for told in runs:
        run = begun("runs", told["name"])
        run["hparams"] = told["params"]
        run.track(told["metric"], name=METRIC, step=1)
        run.close()
    for number, curve in enumerate(curves.tolist()):
        run = begun("curves", f"run {number:02d}")
        for step, value in enumerate(curve, start=1):
            run.track(value, name=METRIC, step=step)
        run.close()
    for repository in repositories:
        manager = RepoIndexManager.get_index_manager(repository)
        for run_hash in repository.list_all_runs():
            manager.index(run_hash)


def trackio(runs: list[Run], curves: np.ndarray, place: Path) -> None:
    """A folder with the projects `runs`, the first of them only, and `curves`."""
    os.environ["TRACKIO_DIR"] = str(place)  # read once, at the import
    from trackio.sqlite_storage import SQLiteStorage

    for run in runs[:TRACKIO_RUNS]:
        SQLiteStorage.bulk_log(
            "runs", run["name"], [{METRIC: run["metric"]}], steps=[1], config=run["params"]
        )
    steps = list(range(1, curves.shape[1] + 1))
    for number, curve in enumerate(curves.tolist()):
        SQLiteStorage.bulk_log(
            "curves", f"run {number:02d}", [{METRIC: value} for value in curve], steps=steps
        )


if __name__ == "__main__":
    source = Path(sys.argv[2])
    write = {"tensorboard": tensorboard, "mlflow": mlflow, "aim": aim, "trackio": trackio}[sys.argv[1]]
    write(json.loads((source / "runs.json").read_text()), np.load(source / "curves.npy"), Path(sys.argv[3]))
