"""Histories in MLflow's store, by MLflow's own client: a folder, or the address of a tracking server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metalm.errors import ConfigError
from metalm.sharing.histories import History, Scalar, moment_of, told_in

EXPERIMENT = "metalm"
_TOLD = "metalm.run"  # a tag
_NAME = "mlflow.runName"
_AT_ONCE = 1000  # metrics that a store takes in one call
_PARAMS_AT_ONCE = 100


def write(history: History, place: str) -> str:
    """Adds a history to the experiment `metalm` of the store at `place`; gives the id of its run there.

    Raises ConfigError when MLflow cannot.
    """
    with _told(place):
        return _written(history, place)


def _written(history: History, place: str) -> str:
    from mlflow.entities import Metric, Param, RunTag

    client, began = _client(place), round(history.began.timestamp() * 1000)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    run_id = client.create_run(experiment, start_time=began, run_name=history.name).info.run_id
    params = [Param(key, str(value)) for key, value in history.params.items()]
    for begin in range(0, len(params), _PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[begin : begin + _PARAMS_AT_ONCE])
    client.log_batch(run_id, tags=[RunTag(_TOLD, json.dumps(dict(history.told), default=str))])
    last = max((scalar.step for scalar in history.scalars), default=0)
    end = began + round(1000 * max((scalar.seconds for scalar in history.scalars), default=0.0))
    metrics = [
        Metric(_key(s.name), s.value, began + round(1000 * s.seconds), s.step) for s in history.scalars
    ]
    metrics += [Metric(_key(f"results/{name}"), value, end, last) for name, value in history.results.items()]
    for begin in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run_id, metrics=metrics[begin : begin + _AT_ONCE])
    client.set_terminated(run_id, end_time=end)
    return run_id


def read(place: str, *, on_read: Callable[[int], None] = lambda _: None) -> list[History]:
    """The history of every run in the store at `place`. Raises ConfigError when there is none.

    on_read hears how many were read, and may raise to stop.
    """
    found: list[History] = []
    with _told(place):
        for history in _found(place):
            found.append(history)
            on_read(len(found))
    if not found:
        raise ConfigError(f"{place} must be a store of MLflow with a run in it, it has none")
    return found


def _found(place: str) -> Iterator[History]:
    client = _client(place)
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while experiments:
        page = client.search_runs(experiments, page_token=token)
        yield from (_history(client, run) for run in page)
        token = page.token
        if not token:
            break


def _history(client: Any, run: Any) -> History:
    found = [
        (name, metric.step, metric.timestamp / 1000, metric.value)
        for name in run.data.metrics
        for metric in client.get_metric_history(run.info.run_id, name)
    ]
    began = (run.info.start_time or 0) / 1000
    return History(
        name=run.data.tags.get(_NAME) or run.info.run_id,
        began=moment_of(began),
        params=dict(run.data.params),
        scalars=[
            Scalar(name, step, max(moment - began, 0.0), value)
            for name, step, moment, value in found
            if not name.startswith("results/")
        ],
        results={n.removeprefix("results/"): v for n, _, _, v in found if n.startswith("results/")},
        told=told_in(run.data.tags.get(_TOLD)),
    )


def _key(name: str) -> str:
    """A name as MLflow takes it."""
    return "".join(char if char.isalnum() or char in "_-./ " else "_" for char in name)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Says in our own words that MLflow could not do it."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise ConfigError(f"{place} must be a store of MLflow that answers: {error}") from error


def _client(place: str) -> Any:
    from mlflow import MlflowClient

    # A folder holds MLflow's SQLite file: stores of plain files are no longer taken by MLflow.
    return MlflowClient(tracking_uri=place if "://" in place else _database(Path(place)))


def _database(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(folder / 'mlflow.db').absolute()}"
