"""Everything a command can ask for, by name: `OPERATIONS` is the table of contents, `call` the one way in.

An operation is a generator of JSON-able dicts over (home, jobs, **arguments); where it waits for others it
yields None now and then, a sign of life that the caller drops. It raises MetalmErrors, and prints nothing.

by what they work on   corpora, splits, training, evaluation, runs, studies; demo, the main job in one
for programs           reading (whole tables), estimation (what a run would take), numbers
session                one way to call them, whoever owns the home
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from metalm.errors import ConfigError, NotFoundError
from metalm.operations import corpora, demo, estimation, evaluation, reading, runs, splits, studies, training

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager

Operation = Callable[..., Iterator[dict[str, Any] | None]]

OPERATIONS: dict[str, Operation] = {
    "corpora add": corpora.add,
    "corpora list": corpora.listing,
    "corpora show": corpora.show,
    "corpora delete": corpora.delete,
    "splits create": splits.create,
    "splits list": splits.listing,
    "splits show": splits.show,
    "splits audit": splits.audit,
    "train": training.train,
    "estimate": estimation.estimate,
    "runs list": runs.listing,
    "runs show": runs.show,
    "runs twin": training.twin,
    "runs stop": training.stop,
    "runs resume": training.resume,
    "runs extend": training.extend,
    "runs archive": runs.archive,
    "runs delete": runs.delete,
    "runs export": runs.export,
    "runs import": runs.import_,
    "runs export to": runs.export_to,
    "runs import from": runs.import_from,
    "report": runs.report,
    "runs table": reading.table,
    "runs curve": reading.curve,
    "runs evaluations": reading.evaluations,
    "runs recipe": reading.recipe,
    "evaluate": evaluation.evaluate,
    "adapt": evaluation.adapt,
    "sample": evaluation.sample,
    "study run": studies.run,
    "study settings": studies.settings,
    "study list": studies.listing,
    "study show": studies.show,
    "study stop": studies.stop,
    "study resume": studies.resume,
    "study report": studies.report,
    "study delete": studies.delete,
    "demo": demo.demo,
}


def call(
    name: str, home: Home, jobs: JobManager, arguments: Mapping[str, Any]
) -> Iterator[dict[str, Any] | None]:
    """The lines of an operation. NotFoundError: no such name; ConfigError: arguments it does not take."""
    if name not in OPERATIONS:
        raise NotFoundError(f"no operation {name!r}; there are {', '.join(OPERATIONS)}")
    operation = OPERATIONS[name]
    try:
        inspect.signature(operation).bind(home, jobs, **arguments)
    except TypeError as error:
        raise ConfigError(f"arguments of {name!r} must be those it takes: {error}") from None
    return operation(home, jobs, **arguments)
