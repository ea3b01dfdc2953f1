import numpy as np
import pytest
import torch

from metalm.config import ModelConfig
from metalm.errors import BundleError
from metalm.learn.expert_files import load_experts, save_experts
from metalm.learn.posterior import Posterior, experts_of
from metalm.learn.windows import TaskTokens
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.weight_files import load_weights, notes_of, save_tensors


@pytest.fixture
def experts(model):
    texts = {"übung": "Der Bär läuft. ", "練習": "猫も見ている。"}
    tasks = [TaskTokens(n[::-1], n, 1, np.frombuffer(t.encode() * 9, np.uint8)) for n, t in texts.items()]
    settings = Posterior(steps=3, batch=2, window=8, fisher_windows=3, precision=20.5)
    return experts_of(model, slow_weights(model), tasks, settings, seed=7)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "experts.safetensors"


def test_experts_come_back_as_they_were(experts, model, path):
    save_experts(path, experts)

    found = load_experts(path, model, "run 'r1'")

    for kept, back in ((experts.weights, found.weights), (experts.deviations, found.deviations)):
        assert kept.keys() == back.keys()
        assert all(torch.equal(tensor, back[name]) for name, tensor in kept.items())
    for name in ("task_ids", "names", "tokens", "settings", "seed"):
        assert getattr(found, name) == getattr(experts, name)
    sample = found.component(1, 3)
    assert all(torch.equal(tensor, sample[name]) for name, tensor in experts.component(1, 3).items())
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_experts_of_another_network_are_refused(experts, path):
    save_experts(path, experts)
    with pytest.raises(BundleError, match=r"must hold experts of this model: \S+ is .* there, not"):
        load_experts(path, new_model(ModelConfig(embedding=3, hidden=6), 256, seed=1), "run 'r1'")


def test_a_file_of_anything_else_is_refused(model, path):
    save_tensors(path, slow_weights(model))
    with pytest.raises(BundleError, match=r"experts.safetensors of run 'r1' must say whose experts it holds"):
        load_experts(path, model, "run 'r1'")
    path.write_bytes(b"text")
    with pytest.raises(BundleError, match="must be a safetensors file"):
        load_experts(path, model, "run 'r1'")


def test_numbers_that_are_none_are_refused(experts, model, path):
    save_experts(path, experts)
    tensors = load_weights(path)
    tensors["weights/linear.bias"][0, 0] = torch.nan
    save_tensors(path, tensors, notes=notes_of(path))
    with pytest.raises(BundleError, match=r"must hold finite numbers, weights/linear.bias has others"):
        load_experts(path, model, "run 'r1'")
