"""Operations on studies: launch, resume (both follow it), stop, list, show, report anew, delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from metalm.errors import MetalmError, NotFoundError, RunStateError
from metalm.jobs.listeners import Ended, Listener
from metalm.operations.numbers import finite
from metalm.studies import carry_out, kept
from metalm.studies.kinds import kind_of, study_of
from metalm.studies.report import HTML_FILE, MARKDOWN_FILE, read

if TYPE_CHECKING:
    from metalm.home import Home
    from metalm.jobs.manager import JobManager
    from metalm.store.jobs import Job
    from metalm.store.studies import Study as Stored

Line = dict[str, Any]


def run(
    home: Home,
    jobs: JobManager,
    *,
    kind: str,
    settings: Mapping[str, str] | None = None,
    name: str = "",
    detach: bool = False,
) -> Iterator[Line | None]:
    """Launches a study and follows it: `event` is queued, training, trained, evaluating, reported, ended.

    settings: by name, as text.
    """
    study = kept.begin(home, kind, settings or {}, name=name)
    yield from _follow(home, jobs, study, detach=detach)


def resume(home: Home, jobs: JobManager, *, study: str, detach: bool = False) -> Iterator[Line | None]:
    """Carries a study on from where it stands; lines as `run`."""
    yield from _follow(home, jobs, kept.find(home, study), detach=detach)


def stop(home: Home, jobs: JobManager, *, study: str) -> Iterator[Line]:
    """One line: asks a study to stop, its run with a checkpoint, or takes it off the queue."""
    found = kept.find(home, study)
    job = jobs.study_job(found.id)
    if job is None:
        raise RunStateError(f"study {found.name!r} must be queued or running to be stopped, it is not")
    jobs.cancel(job.id)
    yield {"event": "stopping", "study": found.id, "name": found.name}


def settings(_home: Home, _jobs: JobManager, *, kind: str) -> Iterator[Line]:
    """A line a setting of a kind of study: its name, its default, and what it means."""
    for name, _, f in kind_of(kind).settings():
        yield {"name": name, "default": f.default, "help": f.metadata["help"]}


def listing(home: Home, jobs: JobManager) -> Iterator[Line]:
    """A line a study, newest first."""
    for study in home.store.studies.all():
        yield _line(home, jobs, study)


def show(home: Home, jobs: JobManager, *, study: str) -> Iterator[Line]:
    """One line: the study with its settings, its runs, and what it found."""
    found = kept.find(home, study)
    report = read(home.study_dir(found.id))
    runs = [
        {"key": key, "run": run_id, **_progress(home, run_id)}
        for key, run_id in home.store.studies.runs(found.id).items()
    ]
    findings = list(report.findings) if report else []
    yield {**_line(home, jobs, found), "settings": found.settings, "findings": findings, "runs": runs}


def report(home: Home, _jobs: JobManager, *, study: str) -> Iterator[Line]:
    """One line: the report, written anew from what the store holds, and its files."""
    found = kept.find(home, study)
    folder = carry_out.write_report(home, found.id)
    yield {
        "event": "reported",
        "study": found.id,
        "name": found.name,
        "markdown": str(folder / MARKDOWN_FILE),
        "html": str(folder / HTML_FILE),
    }


def delete(home: Home, jobs: JobManager, *, study: str) -> Iterator[Line]:
    """One line: the study and its report are gone, its runs stay. RunStateError while it is carried out."""
    found = kept.find(home, study)
    if jobs.study_job(found.id) is not None:
        raise RunStateError(f"study {found.name!r} must not run or wait to be deleted; stop it first")
    kept.delete(home, found.id)
    yield {"event": "deleted", "study": found.id, "name": found.name}


def status(home: Home, jobs: JobManager, study: Stored) -> str:
    """running or queued; finished when its report is written; else begun."""
    job = jobs.study_job(study.id)
    if job is not None:
        return "running" if job.id in {each.id for each in jobs.running()} else "queued"
    return "begun" if read(home.study_dir(study.id)) is None else "finished"


def counts(home: Home, study: Stored) -> tuple[int, int]:
    """Runs that are finished, and how many there will be, as far as can be told."""
    finished = carry_out.ended_runs(home, study.id)
    try:
        return len(finished), study_of(study).num_runs(home, finished)
    except NotFoundError:  # its split is gone
        return len(finished), len(finished)


def _line(home: Home, jobs: JobManager, study: Stored) -> Line:
    done, planned = counts(home, study)
    return {
        "id": study.id,
        "name": study.name,
        "kind": study.kind,
        "status": status(home, jobs, study),
        "runs_finished": done,
        "runs_planned": planned,
        "created_at": study.created_at.isoformat(),
    }


def _progress(home: Home, run_id: str) -> Line:
    run = home.store.runs.get(run_id)
    return {
        "status": run.status,
        "progress": run.progress,
        "best_bits_per_byte": finite(run.best_value),
    }


def _follow(home: Home, jobs: JobManager, study: Stored, *, detach: bool) -> Iterator[Line | None]:
    listener = Listener()
    job = jobs.study(study.id, listener=listener, detached=detach)
    yield {"event": "queued", "study": study.id, "name": study.name, "job": job.id}
    if detach:
        return
    yield from _heard(jobs, job, listener, study.name)
    yield {"event": "ended", "study": study.id, **_line(home, jobs, study)}


def _heard(jobs: JobManager, job: Job, listener: Listener, name: str) -> Iterator[Line | None]:
    for said in jobs.heard(job, listener):
        if isinstance(said, Ended):
            if said.error is not None:
                raise _as_metalm_error(name, said.error)
        elif said is None:
            yield None
        else:
            yield {key: finite(value) if isinstance(value, float) else value for key, value in said.items()}


def _as_metalm_error(name: str, error: BaseException) -> MetalmError:
    if isinstance(error, MetalmError):
        return error
    return RunStateError(
        f"study {name!r} failed with {type(error).__name__}: {error}; its job has the traceback"
    )
