"""What an operator watches of a running app: whether it is well, and its figures for Prometheus.

Figures are read when they are asked for; nothing is counted beside the work.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from metalm.errors import HomeError
from metalm.home.versions import versions
from metalm.jobs.resources import ResourceMeter
from metalm.store.runs import RunStatus

if TYPE_CHECKING:
    from metalm.jobs.service import Service

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_KINDS = ("training", "evaluation", "study")
_GPU = {
    "gpu_memory_bytes": ("metalm_gpu_memory_bytes", "Memory in use on the first GPU, by all processes."),
    "gpu_percent": ("metalm_gpu_use_percent", "How busy the first GPU is."),
}


def check(service: Service) -> dict[str, str | int]:
    """What /healthz says of an app that is well. Raises HomeError when it closes, or its store is gone."""
    if service.jobs.is_halting:
        raise HomeError("the app is closing; nothing new begins")
    return {"status": "ok", "version": versions()["metalm"], "queued": len(service.jobs.queue())}


def prometheus(service: Service) -> bytes:
    """The figures in Prometheus' text format. Raises HomeError as `check` when the store is gone."""
    registry = CollectorRegistry()
    registry.register(_Figures(service))
    ProcessCollector(registry=registry)  # CPU seconds and memory of this process, by their usual names
    return generate_latest(registry)


class _Figures(Collector):
    """The app's own, as families of one name each."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("metalm_build", "Versions of the code and of its libraries.", versions())
        yield from self._work()
        yield from self._running_runs()
        yield from _machine()
        disk = shutil.disk_usage(self._service.home.path)
        yield GaugeMetricFamily("metalm_home_free_bytes", "Free where the home is.", disk.free)

    def _work(self) -> Iterable[Metric]:
        """The queue, and the runs by status; what there is none of is told as 0."""
        jobs = self._service.jobs
        for name, told, these in (
            ("metalm_jobs_queued", "Jobs that wait.", jobs.queue()),
            ("metalm_jobs_running", "Jobs that this process carries out.", jobs.running()),
        ):
            counts = dict.fromkeys(_KINDS, 0) | Counter(job.kind for job in these)
            yield _family(name, told, "kind", counts)
        statuses = dict.fromkeys(get_args(RunStatus), 0) | self._service.home.store.gauges.runs_by_status()
        yield _family("metalm_runs", "Runs of the home, those in the bin left out.", "status", statuses)

    def _running_runs(self) -> Iterable[Metric]:
        labels = ["run", "name"]
        speed = GaugeMetricFamily(
            "metalm_run_tokens_per_second", "Tokens a second of each run that trains.", labels=labels
        )
        progress = GaugeMetricFamily(
            "metalm_run_progress_ratio", "Share of its budget, 0 to 1.", labels=labels
        )
        step = GaugeMetricFamily("metalm_run_step", "Outer steps of each run that trains.", labels=labels)
        for run_id, name, steps, share, rate in self._service.home.store.gauges.running():
            step.add_metric([run_id, name], steps)
            progress.add_metric([run_id, name], share)
            if rate is not None:
                speed.add_metric([run_id, name], rate)
        yield from (speed, progress, step)


def _machine() -> Iterable[Metric]:
    sample = ResourceMeter().sample()
    for key, (name, told) in _GPU.items():
        if key in sample:
            yield GaugeMetricFamily(name, told, sample[key])


def _family(name: str, told: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
