"""The main job in one command: pre-train, meta-train from there, and adapt to languages never seen.

Small on purpose: under three minutes on two cores. Meta-test is opened once, at the end, for the numbers of
the last line; rate and steps of the adaptation were tuned on meta-validation before.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Any

from metalm.errors import RunStateError
from metalm.operations import splits, training
from metalm.operations.evaluation import evaluate, step_line

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager

Line = dict[str, Any]

_SPLIT = "demo"
_META_TRAIN = ("cs", "de", "en", "fi", "fr", "hu", "id", "it", "pl", "vi")
_META_VALIDATION = ("nl", "sl")
_META_TEST = ("es", "sv")
_SUPPORT_BYTES = 2048
_WATCHED_BYTES = 4096  # of the query, where every step is shown
_MODEL = {"model.embedding": "48", "model.hidden": "128"}
_JOINT = {**_MODEL, "drawing.meta_batch": "8", "validation.every": "100"}
_FOMAML = {"validation.every": "20"}


def demo(
    home: Home, jobs: JobManager, *, joint_steps: int = 300, fomaml_steps: int = 60
) -> Iterator[Line | None]:
    """Lines of all that happens; the last has `event` demo and mean bits per byte over the meta-test tasks.

    joint_steps, fomaml_steps: outer steps of the two runs; fewer are quicker, and show less.
    Running it again trains new runs on the same split. RunStateError when a run is stopped on its way.
    """
    yield from splits.create(
        home,
        jobs,
        name=_SPLIT,
        validation=_META_VALIDATION,
        test=_META_TEST,
        corpora=[*_META_TRAIN, *_META_VALIDATION, *_META_TEST],
    )
    settings = {**_JOINT, "budget.amount": str(joint_steps)}
    joint = yield from _trained(home, jobs, algorithm="joint", name="demo joint", settings=settings)
    settings = {**_FOMAML, "budget.amount": str(fomaml_steps)}
    fomaml = yield from _trained(
        home, jobs, algorithm="fomaml", name="demo fomaml", settings=settings, init=joint
    )
    before, after = yield from _evaluated(home, jobs, fomaml)
    yield from _adapted(home, jobs, fomaml)
    yield {
        "event": "demo",
        "run": fomaml,
        "support_bytes": _SUPPORT_BYTES,
        "tasks": list(_META_TEST),
        "bits_per_byte_before": before,
        "bits_per_byte_after": after,
    }


def _trained(home: Home, jobs: JobManager, *, name: str, **arguments: Any) -> Iterator[Line | None]:
    """The lines of a training; returns the id of the finished run."""
    run_id = ""
    for line in training.train(home, jobs, split=_SPLIT, name=name, **arguments):
        if line is not None:
            run_id = line["run"]
        yield line
    status = home.run(run_id).status
    if status != "finished":
        raise RunStateError(f"run {name!r} must be finished for the demo to go on, got {status}")
    return run_id


def _evaluated(home: Home, jobs: JobManager, run_id: str) -> Iterator[Line | None]:
    """The lines of an evaluation on meta-test; returns the mean bits per byte before and after adaptation."""
    by_step: dict[int, list[float]] = {}
    for line in evaluate(home, jobs, runs=[run_id], role="meta-test", support=(_SUPPORT_BYTES,)):
        if line is not None:
            by_step.setdefault(line["step"], []).append(line["bits_per_byte"])
            line = {"event": "evaluation", **line}
        yield line
    if not by_step or len(by_step[max(by_step)]) < len(_META_TEST):
        raise RunStateError("the demo's evaluation must end for the demo to go on, got a part of its rows")
    return fmean(by_step[0]), fmean(by_step[max(by_step)])


def _adapted(home: Home, jobs: JobManager, run_id: str) -> Iterator[Line]:
    """The lines of one adaptation, step by step."""
    text = home.text_of(home.split(_SPLIT).of_role("meta-test")[0])
    support = text.support(_SUPPORT_BYTES)
    assert support is not None, "the demo's texts are longer than its support set"
    sets = text.read(*support), text.read(*text.query(_WATCHED_BYTES))
    for live in home.adapt(run_id, *sets, should_stop=lambda: jobs.is_halting):
        yield {"event": "adaptation", "task": text.task.name, **step_line(live)}
