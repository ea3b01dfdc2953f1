"""Texts to cut: any bytes as a task, and the shipped samples, 36 languages in many scripts."""

import hashlib
from pathlib import Path

import pytest

from metalm.text.tasks import Task, TaskText

SAMPLES = Path(__file__).parents[2] / "metalm" / "samples"


@pytest.fixture(scope="session")
def task_text(tmp_path_factory):
    """A function: the task that is all of `data`, its file in a folder of this session."""
    folder = tmp_path_factory.mktemp("texts")

    def make(data, name="text", **fields):
        if isinstance(data, str):
            data = data.encode()
        sha256 = hashlib.sha256(data).hexdigest()
        path = folder / f"{sha256[:16]}.txt"
        path.write_bytes(data)
        fields = {"begin": 0, "end": len(data), "relatives": name, **fields}
        return TaskText(Task(id=sha256[:16], name=name, corpus_id=sha256[:16], **fields), path)

    return make


@pytest.fixture(scope="session")
def samples(task_text):
    """The first 40 kB or so of each shipped language, by name."""
    texts = {}
    for path in sorted((SAMPLES / "languages").glob("*.txt")):
        data = path.read_bytes()[:40_000].decode(errors="ignore").encode()
        texts[path.stem] = task_text(data, path.stem)
    return texts
