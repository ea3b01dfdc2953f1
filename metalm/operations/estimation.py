"""What a run would take, before it is launched: a short measurement that leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from metalm.errors import MetalmError, RunStateError
from metalm.learn.estimates import Estimate, forecast
from metalm.learn.stopping import Stopped
from metalm.operations.training import DEFAULT_ALGORITHM, asked_config

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.calibrations import Calibration
    from metalm.jobs.manager import JobManager

Line = dict[str, Any]
_IDLE_SECONDS = 0.25


def estimate(
    home: Home,
    jobs: JobManager,
    *,
    split: str,
    algorithm: str = DEFAULT_ALGORITHM,
    preset: str | None = None,
    settings: Mapping[str, str] | None = None,
    init: str | None = None,
) -> Iterator[Line | None]:
    """One line: time, memory and disk of the run that `train` would launch with these arguments.

    Nothing is launched or stored. It ends early, without a trace, when nobody listens any more.
    """
    config = asked_config(home, algorithm, preset=preset, settings=settings, init=init)
    calibration = jobs.calibrations.begin(config, split)
    try:
        while not calibration.wait(_IDLE_SECONDS):
            yield None
        measured = _outcome(calibration)
    finally:
        jobs.calibrations.cancel(calibration)
    expected = forecast(measured, config)
    yield {
        "event": "estimate",
        "algorithm": config.algorithm.name,
        "device": measured.device,
        "steps": expected.steps,
        "seconds": expected.seconds,
        "training_seconds": expected.training_seconds,
        "validation_seconds": expected.validation_seconds,
        "tuning_seconds": expected.tuning_seconds,
        "seconds_per_step": measured.step_seconds,
        "tokens_per_second": measured.tokens_per_second,
        "tokens": expected.tokens,
        "gradient_evaluations": expected.gradient_evaluations,
        "flops": expected.flops,
        "memory_bytes": measured.memory_bytes,
        "memory_of_shapes_bytes": sum(measured.memory_parts.values()),
        "disk_bytes": expected.disk_bytes,
        "steps_measured": measured.steps_measured,
        "beside_work": calibration.beside_work,
    }


def _outcome(calibration: Calibration) -> Estimate:
    try:
        return calibration.estimate()
    except Stopped:
        raise RunStateError("the measurement must end to give an estimate, it was cancelled") from None
    except MetalmError:
        raise
    except RuntimeError as error:  # torch's way to say that memory is not enough
        raise RunStateError(f"the first steps of such a run failed: {error}") from error
