"""Operations that train: launch, resume, extend (all three follow the run), and stop.

A follower only listens: when it goes away, beside an app, the run goes on.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from metalm import units
from metalm.config import PRESETS, RunConfig, make_config, run_config
from metalm.errors import ConfigError, MetalmError, RunStateError
from metalm.jobs.listeners import Ended, Listener
from metalm.operations.numbers import finite
from metalm.operations.runs import run_line

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager
    from metalm.learn.reports import Report
    from metalm.store.jobs import Job

Line = dict[str, Any]
DEFAULT_ALGORITHM = "fomaml"


def train(
    home: Home,
    jobs: JobManager,
    *,
    split: str,
    algorithm: str = DEFAULT_ALGORITHM,
    preset: str | None = None,
    settings: Mapping[str, str] | None = None,
    init: str | None = None,
    name: str = "",
    detach: bool = False,
) -> Iterator[Line | None]:
    """Launches a run and follows it: `event` is queued, then report (one an outer step), at last ended.

    settings: dotted keys to text, as `--set` takes them (`budget.amount`, `seed` and `device` among them).
    init: a finished run to start from; its model and tokenizer are taken over unless told otherwise.
    """
    config = asked_config(home, algorithm, preset=preset, settings=settings, init=init)
    run = home.create_run(config, split, name=name)
    listener = Listener()
    job = jobs.train(run.id, listener=listener, detached=detach)
    yield from _follow(home, jobs, job, listener, detach=detach)


def asked_config(
    home: Home,
    algorithm: str,
    *,
    preset: str | None,
    settings: Mapping[str, str] | None,
    init: str | None,
) -> RunConfig:
    """The config that the arguments of `train` describe."""
    parent = home.run(init) if init else None
    theirs = run_config(parent.config) if parent else None
    config = make_config(algorithm, preset=preset, settings=settings or {}, parent=theirs)
    return dataclasses.replace(config, init=parent.id) if parent else config


def twin(
    home: Home, jobs: JobManager, *, run: str, name: str = "", detach: bool = False
) -> Iterator[Line | None]:
    """Trains the equal-compute control of a meta-trained run: see `metalm.home.twins`; lines as `train`."""
    made = home.create_twin(run, name=name)
    listener = Listener()
    job = jobs.train(made.id, listener=listener, detached=detach)
    yield from _follow(home, jobs, job, listener, detach=detach)


def resume(home: Home, jobs: JobManager, *, run: str, detach: bool = False) -> Iterator[Line | None]:
    """Trains a stopped, failed or interrupted run on from its checkpoint; lines as `train`."""
    listener = Listener()
    job = jobs.resume(home.run(run).id, listener=listener, detached=detach)
    yield from _follow(home, jobs, job, listener, detach=detach)


def extend(
    home: Home, jobs: JobManager, *, run: str, amount: float, unit: str, detach: bool = False
) -> Iterator[Line | None]:
    """Trains a finished run for `amount` more `unit` (steps, tokens or minutes, as its budget counts)."""
    found = home.run(run)
    budget = run_config(found.config).budget
    if unit != budget.unit:
        raise ConfigError(f"run {found.name!r} must be extended in {budget.unit}, got {unit}")
    listener = Listener()
    job = jobs.extend(found.id, amount, listener=listener, detached=detach)
    yield from _follow(home, jobs, job, listener, detach=detach)


def stop(home: Home, jobs: JobManager, *, run: str) -> Iterator[Line]:
    """One line: asks a running run to stop with a checkpoint, takes a queued one off the queue."""
    found = home.run(run)
    jobs.stop(found.id)
    yield {"event": "stopping", "run": found.id, "name": found.name}


def command_line(config: RunConfig, split: str, *, name: str = "", init: str = "") -> str:
    """The command that launches this very config: the budget, and settings that differ from the defaults."""
    preset = next((key for key, model in PRESETS.items() if model == config.model), None)
    words = ["python", "-m", "metalm", "train", "--split", split, "--algorithm", config.algorithm.name]
    words += ["--preset", preset] if preset else []
    words += ["--init", init] if init else []
    words += ["--name", name] if name else []
    words += [f"--{config.budget.unit}", f"{config.budget.amount:.15g}"]
    plain = make_config(config.algorithm.name, preset=preset, settings={})
    defaults = {key: value for key, value, *_ in plain.keys()}  # noqa: SIM118 (no dict)
    for key, value, *_ in config.keys():  # noqa: SIM118
        if key.startswith("budget."):
            continue
        # A warm start takes its model over, so that its dropout, the one part that may differ, must be said.
        if value != defaults[key] or (init and key == "model.dropout"):
            words += ["--set", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
    return shlex.join(words)


def _follow(
    home: Home, jobs: JobManager, job: Job, listener: Listener, *, detach: bool
) -> Iterator[Line | None]:
    run_id = job.payload["run"]
    run = home.run(run_id)
    yield {"event": "queued", "run": run.id, "name": run.name, "job": job.id}
    if detach:
        return
    for said in jobs.heard(job, listener):
        if said is None:
            yield None
        elif not isinstance(said, Ended):
            yield report_line(run.id, said)
        elif said.error is not None:
            raise _as_metalm_error(run.name, said.error)
    yield {"event": "ended", "run": run.id, **run_line(home, home.run(run.id))}


def _as_metalm_error(name: str, error: BaseException) -> MetalmError:
    if isinstance(error, MetalmError):
        return error
    return RunStateError(
        f"run {name!r} failed with {type(error).__name__}: {error}; its log has the traceback"
    )


def report_line(run_id: str, report: Report) -> Line:
    """A Report as a line; bits per byte of all its tasks together, after their last adaptation step."""
    line = {
        "event": "report",
        "run": run_id,
        "step": report.step,
        "tokens": report.tokens,
        "seconds": report.seconds,
        "progress": report.progress,
    }
    for part in ("query", "validation"):
        losses = [loss for loss in report.losses if loss.part == part]
        last = {
            loss.task_id: loss.adaptation_step for loss in sorted(losses, key=lambda x: x.adaptation_step)
        }
        losses = [loss for loss in losses if loss.adaptation_step == last[loss.task_id]]
        num_bytes = sum(loss.bytes for loss in losses)
        if num_bytes:
            bits = units.bits_per_byte(sum(loss.nats for loss in losses), num_bytes)
            line[f"{part}_bits_per_byte"] = finite(bits)
    return line
