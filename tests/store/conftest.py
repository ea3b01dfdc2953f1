"""A real store in a temporary folder, and the smallest things to put into it."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from metalm.store.metrics import Point
from metalm.store.runs import Run
from metalm.store.store import Store
from metalm.text.corpora import Corpus
from metalm.text.splits import freeze
from metalm.text.tasks import tasks_of

RUN = Run(
    id="a" * 12,
    name="first",
    status="queued",
    algorithm="fomaml",
    split_id="s" * 16,
    seed=3,
    config={"seed": 3, "device": "cpu"},
    tags=("tag", "Ünï"),
    seen=("f" * 64 + ":0:10",),
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metalm.duckdb"


@pytest.fixture
def store(path):
    opened = Store(path)
    yield opened
    opened.close()


@pytest.fixture
def run(store):
    store.runs.add(RUN)
    return RUN


@pytest.fixture
def another_run(store):
    """A second run, under another id and name."""
    other = replace(RUN, id="b" * 12, name="second")
    store.runs.add(other)
    return other


@pytest.fixture
def loss_points():
    """The four points of a loss: nats as given, 10 tokens, 20 bytes and 15 characters."""

    def points(step, nats, *, part="query", task="t", adaptation_step=0):
        place = step, step * 100, step / 2
        values = {"nats": nats, "tokens": 10, "bytes": 20, "chars": 15}
        return [
            Point(*place, f"{part}_{name}", task, adaptation_step, value) for name, value in values.items()
        ]

    return points


@pytest.fixture
def corpora():
    """Three corpora of 5,000 bytes that exist in words only."""
    return [
        Corpus(
            id=letter * 16,
            name=name,
            sha256=letter * 64,
            bytes=5000,
            chars=5000,
            lines=1,
            encoding="utf-8",
            groups={"family": "Made up"},
        )
        for letter, name in (("1", "one"), ("2", "two"), ("3", "three"))
    ]


@pytest.fixture
def split(corpora):
    """`one` is trained on, `two` chooses, `three` is kept for the end."""
    tasks = tasks_of(corpora)
    roles = dict(zip((t.id for t in tasks), ("meta-train", "meta-validation", "meta-test"), strict=True))
    return freeze("numbers", tasks, roles)


@pytest.fixture
def python():
    """Runs Python code in a process of its own, without waiting for it."""
    processes = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def evaluation():
    """A row of `evaluations`, changed where asked."""

    def row(**changes):
        return {
            "run_id": RUN.id,
            "checkpoint_step": 5,
            "split_id": "s" * 16,
            "role": "meta-validation",
            "task_id": "t",
            "track": "static",
            "method": "adapt",
            "adaptation": {"steps": 3, "lr": 0.5},
            "support_bytes": 512,
            "draw": 0,
            "adaptation_step": 0,
            "seed": 3,
            "nats": 100.0,
            "tokens": 50,
            "bytes": 60,
            "chars": 55,
            "seconds": 0.1,
            "seen": False,
            **changes,
        }

    return row
