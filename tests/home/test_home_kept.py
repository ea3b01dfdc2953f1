"""What a run learned about adaptation stays with its weights: kept, used, carried, missed when lost."""

import shutil
from dataclasses import replace

import pytest
import torch
from homes import SPLIT, TINY_FOMAML
from safetensors.torch import load_file

from metalm.errors import BundleError
from metalm.model.weight_files import load_weights, save_tensors, step_of
from metalm.operations.training import make_config

TEXT = b"abcde edcba abcde edcba " * 40
LEARNERS = {"meta-sgd": "rate/", "maml++": "rate/", "cavia": "context"}


@pytest.fixture
def trained(home):
    """A function: a finished run of an algorithm that learns about adaptation."""

    def train(algorithm, **settings):
        more = {key.replace("__", "."): value for key, value in settings.items()}
        config = make_config(algorithm, settings={**TINY_FOMAML, "budget.amount": "4", **more})
        return home.train(home.create_run(config, SPLIT, name=algorithm).id)

    return train


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_a_run_adapts_with_what_it_learned(home, trained, algorithm):
    run = trained(algorithm)
    path = home.learned_path(run.id)

    loaded = home.load(run.id)

    assert step_of(path) == step_of(home.weights_path(run.id)) == loaded.checkpoint_step
    assert all(name.startswith(LEARNERS[algorithm]) for name in loaded.rule.learned)
    kept = load_weights(path)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in loaded.rule.learned.items())
    # Other rates, or another map, and the run adapts another way: they are used.
    before = [step.score.nats for step in home.adapt(run.id, TEXT, TEXT[:300], steps=2)]
    written = b"".join(home.sample(run.id, support=TEXT, steps=2, temperature=2.0))
    rows = {row.key: row.nats for row in home.evaluate([run.id], support=(512,), steps=2)}
    save_tensors(path, {name: 2 - 9 * tensor for name, tensor in kept.items()}, step=step_of(path))
    after = [step.score.nats for step in home.adapt(run.id, TEXT, TEXT[:300], steps=2)]
    assert after[0] == before[0]
    assert after[2] != pytest.approx(before[2], rel=1e-6)
    assert b"".join(home.sample(run.id, support=TEXT, steps=2, temperature=2.0)) != written
    assert len(rows) == 3


def test_best_rates_are_those_of_the_best_weights(home, trained):
    # Steps that large ruin the run: the best is what it began with, and later rates must not be kept.
    run = trained("meta-sgd", optimizer__lr="5.0", optimizer__clip="0", optimizer__warmup="0")

    assert step_of(home.learned_path(run.id)) == run.best_step == 0
    assert all(bool((rate == 1).all()) for rate in load_weights(home.learned_path(run.id)).values())


def test_a_run_whose_rates_are_lost_is_refused(home, trained):
    run = trained("meta-sgd")
    home.learned_path(run.id).unlink()

    for use in (home.load, lambda ref: list(home.adapt(ref, TEXT, TEXT)), lambda ref: list(home.sample(ref))):
        with pytest.raises(BundleError, match=r"run 'meta-sgd' must have a file adaptation\.safetensors"):
            use(run.id)


def test_rates_of_another_step_than_the_weights_are_refused(home, trained):
    run = trained("meta-sgd")
    path = home.learned_path(run.id)
    save_tensors(path, load_weights(path), step=99)

    with pytest.raises(BundleError, match="must be of outer step .*, as its weights are, got 99"):
        home.load(run.id)


def test_a_warm_start_goes_on_from_its_parents_rates(home, trained):
    parent = trained("meta-sgd")
    config = make_config("meta-sgd", settings={**TINY_FOMAML, "budget.amount": "1", "optimizer.lr": "0"})
    child = home.create_run(replace(config, init=parent.id), SPLIT, name="child")
    home.train(child.id)

    left, right = (load_weights(home.learned_path(run.id)) for run in (child, parent))
    assert all(torch.equal(left[name], tensor) for name, tensor in right.items())


@pytest.fixture
def exported(home, trained, tmp_path):
    """A run with learned rates, and its bundle."""
    run = trained("maml++")
    return run, home.export_run(run.id, tmp_path / "exported")


def test_a_bundle_carries_what_was_learned(home, another_home, exported):
    run, directory = exported
    another_home.import_run(directory)

    here, there = (list(each.adapt(run.id, TEXT, TEXT[:300], steps=2)) for each in (another_home, home))
    assert [step.score.nats for step in here] == [step.score.nats for step in there]
    again = another_home.export_run(run.id, another_home.path.parent / "again")
    assert sorted(file.name for file in again.iterdir()) == sorted(file.name for file in directory.iterdir())
    assert (again / "adaptation.safetensors").read_bytes() == home.learned_path(run.id).read_bytes()
    assert another_home.import_run(directory).id == run.id


def test_a_bundle_in_half_precision_halves_what_was_learned_too(home, another_home, exported):
    run, directory = exported
    half = home.export_run(run.id, directory.with_name("half"), half=True)
    for name in ("weights.safetensors", "adaptation.safetensors"):
        assert {each.dtype for each in load_file(half / name).values()} == {torch.float16}
    another_home.import_run(half)

    loaded = another_home.load(run.id)
    assert {each.dtype for each in (*loaded.weights.values(), *loaded.rule.learned.values())} == {
        torch.float32
    }
    here, there = (list(each.adapt(run.id, TEXT, TEXT[:300], steps=2)) for each in (another_home, home))
    assert here[2].score.nats == pytest.approx(there[2].score.nats, rel=1e-3)


@pytest.mark.parametrize("damage", ["missing", "empty", "flipped", "other"])
def test_a_bundle_without_what_was_learned_is_refused(another_home, exported, damage):
    file = exported[1] / "adaptation.safetensors"
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "other":
        shutil.copyfile(exported[1] / "weights.safetensors", file)
    else:
        file.write_bytes(data[:-4] + bytes(4) if damage == "flipped" else b"")

    with pytest.raises(BundleError, match=r"adaptation\.safetensors"):
        another_home.import_run(exported[1])
    assert another_home.runs() == []
