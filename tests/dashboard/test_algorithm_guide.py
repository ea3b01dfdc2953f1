"""The guide to the algorithms: a line for each, and costs that are true."""

import hashlib
import random

import pytest
import torch

from metalm.config import ALGORITHMS, ModelConfig, RunConfig
from metalm.dashboard import algorithm_guide
from metalm.learn import calibration
from metalm.text.tasks import Task, TaskText
from metalm.text.tokenizers import ByteTokenizer


def test_every_algorithm_has_its_line_and_advice():
    assert list(algorithm_guide.GUIDES) == list(ALGORITHMS)
    for name in ALGORITHMS:
        assert algorithm_guide.line(name).startswith(f"{name} · ")
        assert len(algorithm_guide.line(name)) <= 110
        assert "Take it " in algorithm_guide.advice(name)


@pytest.fixture
def flops(tmp_path, monkeypatch):
    """Of an outer step of an algorithm at its default settings, with a small network."""
    monkeypatch.setattr(calibration, "_SECONDS", 1e-9)
    data = random.Random(0).randbytes(60_000)
    path = tmp_path / "text"
    path.write_bytes(data)
    key = hashlib.sha256(data).hexdigest()[:16]
    texts = [TaskText(Task(id=key, name="t", corpus_id=key, begin=0, end=len(data), relatives="t"), path)]

    def of(name):
        config = RunConfig(algorithm=ALGORITHMS[name](), model=ModelConfig(embedding=8, hidden=32))
        rest = [], ByteTokenizer(), tmp_path / "tokens", torch.device("cpu")
        return calibration.calibrate(config, texts, *rest).step_flops

    return of


def test_costs_are_near_what_is_computed(flops):
    one = flops("fomaml")
    for name, guide in algorithm_guide.GUIDES.items():
        told = float(guide.cost.removesuffix(" ×"))
        # Seconds are what people feel: small batches cost more of them, a head that adapts alone costs less.
        assert told / 2 < flops(name) / one < told * 2, name
