import pytest
import torch

from metalm.config import Cavia, Fomaml, InnerLoop, MamlPlusPlus, MetaSgd, ModelConfig, RunConfig
from metalm.errors import BundleError
from metalm.learn.algorithms import starting_learned
from metalm.learn.rule_files import load_learned, save_learned
from metalm.model.weight_files import save_tensors, step_of

LEARNING = {
    "meta-sgd": MetaSgd(),
    "maml++": MamlPlusPlus(inner=InnerLoop(steps=3)),
    "cavia": Cavia(context=2),
    "fisher": Fomaml(inner=InnerLoop(proximal=1.0, fisher=True)),
}


@pytest.fixture(params=LEARNING)
def config(request):
    """A run's config of each kind that learns something about adaptation."""
    return RunConfig(algorithm=LEARNING[request.param], model=ModelConfig(embedding=3, hidden=5))


@pytest.fixture
def learned(config, model):
    """What such a run might have learned."""
    return {name: tensor + 0.25 for name, tensor in starting_learned(config, model).items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "adaptation.safetensors"


def test_what_was_learned_comes_back_with_its_step(config, model, learned, path):
    save_learned(path, learned, step=7)

    found = load_learned(path, config, model, "run 'r1'")

    assert found.keys() == learned.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in learned.items())
    assert step_of(path) == 7
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_run_that_learns_nothing_has_no_file(model, path):
    path.write_bytes(b"of an older version of the run")
    save_learned(path, {}, step=1)

    assert not path.exists()
    config = RunConfig(algorithm=Fomaml(), model=model.config)
    assert load_learned(path, config, model, "run 'r1'") == {}


def test_a_file_that_is_lost_is_missed(config, model, path):
    with pytest.raises(BundleError, match=r"run 'r1' must have a file adaptation\.safetensors to adapt"):
        load_learned(path, config, model, "run 'r1'")


def test_a_damaged_file_is_refused(config, model, learned, path):
    save_learned(path, learned, step=1)
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(BundleError, match="must be a safetensors file"):
        load_learned(path, config, model, "run 'r1'")


def test_tensors_of_another_run_are_refused(config, model, learned, path):
    name, tensor = next(iter(learned.items()))
    others = {"rate/nothing": torch.ones(1)}
    for tensors, told in (
        ({**learned, **others}, r"rate/nothing is \(1,\) there, not none"),
        ({n: t for n, t in learned.items() if n != name}, f"{name} is none there"),
        ({**learned, name: tensor[None]}, f"{name} is .* there, not"),
        ({**learned, name: tensor * torch.nan}, f"must hold finite numbers, {name} has others"),
    ):
        save_tensors(path, tensors, step=1)
        with pytest.raises(BundleError, match=told):
            load_learned(path, config, model, "run 'r1'")


def test_a_file_where_nothing_is_learned_is_refused(model, path):
    save_tensors(path, {"rate/linear.bias": torch.ones(1, 256)}, step=1)

    with pytest.raises(BundleError, match="must hold what fomaml learns"):
        load_learned(path, RunConfig(algorithm=Fomaml(), model=model.config), model, "run 'r1'")
