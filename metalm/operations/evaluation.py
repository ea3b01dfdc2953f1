"""Operations that use a trained run: evaluate it on tasks, adapt it to a text, sample from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalm import units
from metalm.config import OWN, methods_of
from metalm.errors import CorpusError, HomeError, MetalmError, RunStateError, SplitError
from metalm.jobs.listeners import Ended, Listener
from metalm.learn.stopping import Stopped
from metalm.operations.numbers import finite

if TYPE_CHECKING:
    from metalm.evaluate.live import LiveStep
    from metalm.evaluate.protocol import Row
    from metalm.home import Home
    from metalm.jobs.manager import JobManager
    from metalm.text.splits import Role

Line = dict[str, Any]

# A text for adaptation is read whole: it is scored in one stream.
_MAX_TEXT_BYTES = 16 * 1024 * 1024


def evaluate(
    home: Home,
    jobs: JobManager,
    *,
    runs: Sequence[str],
    split: str | None = None,
    role: Role = "meta-validation",
    support: Sequence[int] = (0, 2048, 10240),
    steps: int | None = None,
    draws: int = 1,
    methods: Sequence[str] = OWN,
) -> Iterator[Line | None]:
    """A line a row: each method, task, support size, draw and adaptation step of each run.

    methods: see `metalm.config.methods`. split: default is each run's own. steps: default is what the run
    tuned. Asking for meta-test is recorded.
    """
    found = [home.run(run) for run in runs]
    splits = {each.id: each for each in (home.split(split or run.split_id) for run in found)}
    for each in splits.values():
        if not each.of_role(role):
            raise SplitError(f"split {each.name!r} must have a task in {role} to evaluate there, got none")
    run_names = {run.id: run.name for run in found}
    task_names = {member.task.id: member.task.name for each in splits.values() for member in each.tasks}
    listener = Listener()
    job = jobs.evaluate(
        [run.id for run in found],
        listener=listener,
        split=home.split(split).id if split else None,
        role=role,
        support=list(support),
        steps=steps,
        draws=draws,
        methods=methods_of(methods),
    )
    for said in jobs.heard(job, listener):
        if said is None:
            yield None
        elif not isinstance(said, Ended):
            yield _row_line(said, run_names, task_names)
        elif said.error is not None:
            raise _as_metalm_error(said.error)
        elif said.status == "finished":
            return
    raise RunStateError("the evaluation must end to give all its rows, it was cancelled")


def adapt(
    home: Home,
    jobs: JobManager,
    *,
    run: str,
    support: str,
    query: str,
    steps: int | None = None,
    lr: float | None = None,
) -> Iterator[Line]:
    """A line an adaptation step, from 0 (before any): the query's loss after it. Texts are files, in UTF-8.

    steps, lr: default is what the run tuned on meta-validation.
    """
    texts = _text(support), _text(query)
    options = {"steps": steps, "lr": lr, "should_stop": lambda: jobs.is_halting}
    with _not_closing("adaptation"):
        for live in home.adapt(home.run(run).id, *texts, **options):
            yield step_line(live)


def sample(
    home: Home,
    jobs: JobManager,
    *,
    run: str,
    support: str | None = None,
    prompt: str = "",
    num_bytes: int = 200,
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[Line]:
    """One line: `text` goes on after the prompt, from weights adapted to the support file if there is one."""
    found = home.run(run)
    pieces = home.sample(
        found.id,
        support=_text(support) if support else b"",
        prompt=prompt.encode(),
        num_bytes=num_bytes,
        temperature=temperature,
        seed=seed,
        should_stop=lambda: jobs.is_halting,
    )
    # Bytes that a model draws need not be UTF-8.
    with _not_closing("sampling"):
        text = b"".join(pieces).decode("utf-8", errors="replace")
    yield {"run": found.id, "name": found.name, "prompt": prompt, "text": text}


@contextmanager
def _not_closing(what: str) -> Iterator[None]:
    """Says in our own words that the home closes under work of the calling thread."""
    try:
        yield
    except Stopped:
        raise HomeError(f"the {what} must end before the home closes, it was cut off") from None


def _text(path: str) -> bytes:
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > _MAX_TEXT_BYTES:
            raise CorpusError(f"{file.name} must have {_MAX_TEXT_BYTES} bytes or fewer, got {size}")
        data = file.read_bytes()
        data.decode("utf-8")
    except OSError as error:
        raise CorpusError(f"no readable file {path!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{file.name} must be UTF-8, got byte {data[error.start]:#04x} at {error.start}"
        ) from None
    return data


def step_line(live: LiveStep) -> Line:
    """The query's loss after one adaptation step."""
    score = live.score
    return {
        "step": live.step,
        "nats": finite(score.nats),
        "tokens": score.tokens,
        "bytes": score.bytes,
        "bits_per_byte": finite(units.bits_per_byte(score.nats, score.bytes)),
    }


def _row_line(row: Row, run_names: Mapping[str, str], task_names: Mapping[str, str]) -> Line:
    return {
        "run": row.run_id,
        "name": run_names.get(row.run_id),
        "task": task_names[row.task_id],
        "role": row.role,
        "track": row.track,
        "method": row.method,
        "support_bytes": row.support_bytes,
        "draw": row.draw,
        "step": row.adaptation_step,
        "nats": finite(row.nats),
        "tokens": row.tokens,
        "bytes": row.bytes,
        "bits_per_byte": finite(units.bits_per_byte(row.nats, row.bytes)),
        "seen": row.seen,
    }


def _as_metalm_error(error: BaseException) -> MetalmError:
    if isinstance(error, MetalmError):
        return error
    return RunStateError(
        f"the evaluation failed with {type(error).__name__}: {error}; its job has the traceback"
    )
