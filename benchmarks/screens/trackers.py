"""metalm beside other trackers, with the same runs: seconds to the first table and chart, and bytes.

All servers are up at once, and the browser visits them in turns, so that noise hits all alike. A first visit,
which fetches a tracker's code, does not count. TensorBoard thins a curve to 1,000 points, Aim to 500, Trackio
to 3,000; MLflow is asked for the page that draws one metric of chosen runs. The first table has 100 runs in
TensorBoard and MLflow, 45 in Aim, and all of them in Trackio (names and steps, no settings).
"""

from __future__ import annotations

import base64
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
from playwright.sync_api import Browser, TimeoutError

from metalm.units import bits_per_byte
from screens import made, tracker_servers
from screens.apps import running_app
from screens.browsers import DRAWN, new_page, open_browser, received, seconds_until
from screens.curves import chosen
from screens.rows import NOT_DRAWN, Row, absent, row
from screens.runs import SHOWN
from screens.sizes import Size
from screens.tracker_data import EXPERIMENTS, METRIC, TRACKIO_RUNS

# TensorBoard's pages are made of parts that a plain query does not look into.
_DEEP = """
const deep = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll('*')].filter((each) => each.shadowRoot)
    .flatMap((each) => deep(selector, each.shadowRoot)),
];"""
_TENSORBOARD_TABLE = f"() => {{ {_DEEP} return deep('vaadin-grid-cell-content').length > 100; }}"
_TENSORBOARD_CHART = """() => document.querySelector('scalar-card line-chart')
  && !document.querySelector('scalar-card mat-spinner')"""
_MLFLOW_TABLE = "() => document.querySelectorAll('.ag-center-cols-container .ag-row').length > 10"
_MLFLOW_CHART = "() => document.querySelectorAll('.scatterlayer .trace').length > 1"
_AIM_TABLE = "() => document.querySelectorAll('.RunNameColumn').length > 10"
_AIM_CHART = "() => document.querySelectorAll('path.Line').length > 1"
_TRACKIO_TABLE = "() => document.querySelectorAll('.runs-table tbody tr').length > 10"
# Its chart is a canvas, there before anything is drawn on it.
_TRACKIO_CHART = """() => {
  const canvas = document.querySelector('.plot canvas');
  return canvas?.width > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
    .some((value) => value > 0);
}"""


@dataclass(frozen=True)
class Side:
    """One tracker's page: its address, and when it is drawn."""

    name: str
    address: str
    ready: str


def measure(size: Size) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        runs = made.many_runs(folder / "many", size.runs, size.keys)
        names = made.long_runs(folder / "long", size.curves, size.points)
        _tell(folder, runs, size)
        tables, charts, missing = [], [], []
        apps = [stack.enter_context(running_app(folder / part)) for part in ("many", "long")]
        tables.append(Side("metalm", f"{apps[0].url}/runs", SHOWN))
        address = f"{apps[1].url}/compare?{urlencode(chosen(names), doseq=True)}"
        charts.append(Side("metalm", address, DRAWN))
        for tracker, serve in SERVE.items():
            version = tracker_servers.version(size.peers_python, tracker)
            if version is None:
                missing.append(tracker)
                continue
            place = folder / tracker
            tracker_servers.fill(size.peers_python, tracker, folder, place)
            table, chart = serve(stack, size, place, f"{tracker} {version}")
            tables.append(table)
            charts.append(chart)
        browser = stack.enter_context(open_browser())
        asked = {
            f"{size.runs:,} runs with {size.keys} settings, first table": tables,
            f"{size.curves} runs x {size.points:,} points, first chart": charts,
        }
        for work, sides in asked.items():
            yield from _side_by_side(browser, work, sides, size.tries)
            yield from (absent(f"{work}: {tracker}", "s") for tracker in missing)


def _tell(folder: Path, runs: Sequence[made.Run], size: Size) -> None:
    """What tracker_data.py reads."""
    told = [{"name": run.name, "params": made.settings(run.config), "metric": run.best_value} for run in runs]
    (folder / "runs.json").write_text(json.dumps(told))
    steps = np.arange(1, size.points + 1)
    curves = [bits_per_byte(made.losses(seed, steps), made.BYTES) for seed in range(size.curves)]
    np.save(folder / "curves.npy", np.array(curves))


def _tensorboard(stack: ExitStack, size: Size, place: Path, name: str) -> tuple[Side, Side]:
    serve = tracker_servers.tensorboard
    table = stack.enter_context(serve(size.peers_python, place / "runs", size.runs))
    chart = stack.enter_context(serve(size.peers_python, place / "curves", size.curves))
    return (
        Side(name, f"{table}/#hparams", _TENSORBOARD_TABLE),
        Side(name, f"{chart}/#timeseries", _TENSORBOARD_CHART),
    )


def _mlflow(stack: ExitStack, size: Size, place: Path, name: str) -> tuple[Side, Side]:
    url = stack.enter_context(tracker_servers.mlflow(size.peers_python, place))
    metric = json.dumps(METRIC)
    asked = {
        "runs": json.dumps([f"{number:032x}" for number in range(size.curves)]),
        "metric": metric,
        "experiments": '["2"]',
        "plot_metric_keys": f"[{metric}]",
        "plot_layout": "{}",
        "x_axis": "step",
        "y_axis_scale": "linear",
        "line_smoothness": "1",
        "show_point": "false",
        "deselected_curves": "[]",
        "last_linear_y_axis_range": "[]",
    }
    return (
        Side(name, f"{url}/#/experiments/1/runs", _MLFLOW_TABLE),
        Side(name, f"{url}/#/metric?{urlencode(asked, quote_via=quote)}", _MLFLOW_CHART),
    )


def _aim(stack: ExitStack, size: Size, place: Path, name: str) -> tuple[Side, Side]:
    serve = tracker_servers.aim
    table, chart = (stack.enter_context(serve(size.peers_python, place / part)) for part in EXPERIMENTS)
    select = {"options": [], "advancedMode": True, "advancedQuery": f'metric.name == "{METRIC}"'}
    return (
        Side(name, f"{table}/runs", _AIM_TABLE),
        Side(name, f"{chart}/metrics?select={_aim_encoded(select)}", _AIM_CHART),
    )


def _aim_encoded(value: object) -> str:
    """As Aim's pages keep their state in the address: encodeURI, then base64."""
    quoted = quote(json.dumps(value), safe=";/?:@&=+$,#-_.!~*'()")
    return "O-" + base64.urlsafe_b64encode(quoted.encode()).decode().rstrip("=")


def _trackio(stack: ExitStack, size: Size, place: Path, name: str) -> tuple[Side, Side]:
    url = stack.enter_context(tracker_servers.trackio(size.peers_python, place))
    table = name if size.runs <= TRACKIO_RUNS else f"{name}, {TRACKIO_RUNS} of them"
    return (
        Side(table, f"{url}/runs?project=runs", _TRACKIO_TABLE),
        Side(name, f"{url}/metrics?project=curves", _TRACKIO_CHART),
    )


SERVE = {"TensorBoard": _tensorboard, "MLflow": _mlflow, "Aim": _aim, "Trackio": _trackio}


def _side_by_side(browser: Browser, work: str, sides: Sequence[Side], tries: int) -> Iterator[Row]:
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}
    sent: dict[str, list[int]] = {side.name: [] for side in sides}
    pages = {side.name: new_page(browser) for side in sides}
    late = []
    for _ in range(tries + 1):
        for side in (each for each in sides if each not in late):
            with received(pages[side.name]) as num_bytes:
                try:
                    seconds[side.name].append(seconds_until(pages[side.name], side.address, side.ready))
                except TimeoutError:
                    late.append(side)
                sent[side.name].append(num_bytes())
            pages[side.name].goto("about:blank")  # nothing of it goes on beside the next
    for page in pages.values():
        page.close()
    yield from (absent(f"{work}: {side.name}", "s", NOT_DRAWN) for side in late)
    for side in (each for each in sides if each not in late):
        yield row(f"{work}: {side.name}", statistics.median(seconds[side.name][1:]), "s")
        yield row(f"{work}, data sent: {side.name}", statistics.median(sent[side.name][1:]) / 1000, "kB")
