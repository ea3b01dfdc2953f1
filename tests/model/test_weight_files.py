import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from metalm.config import ModelConfig
from metalm.errors import BundleError, ConfigError
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.weight_files import (
    fitting,
    halve,
    load_weights,
    model_with,
    notes_of,
    save_tensors,
    save_weights,
)


@pytest.mark.parametrize("tied", [False, True])
def test_a_files_weights_load_into_the_articles_class_and_give_the_same_logits(
    tied, language_model, tmp_path
):
    model = new_model(ModelConfig(embedding=5, hidden=5, tied=tied), 7, seed=1)
    save_weights(tmp_path / "weights.safetensors", slow_weights(model))

    theirs = language_model(7, 5, 5)
    theirs.load_state_dict(load_weights(tmp_path / "weights.safetensors"), strict=True)

    tokens_TB = torch.randint(7, (11, 2))
    assert torch.equal(theirs(tokens_TB, None)[0], model(tokens_TB)[0])


@pytest.mark.parametrize("tied", [False, True])
def test_a_file_comes_back_as_it_was_written(tied, tmp_path):
    config = ModelConfig(embedding=5, hidden=5, layers=2, tied=tied)
    model, blank = new_model(config, 7, seed=1), new_model(config, 7, seed=2)
    save_weights(tmp_path / "weights.safetensors", slow_weights(model))

    read = model_with(blank, load_weights(tmp_path / "weights.safetensors"), "run 'r1'")

    assert slow_weights(read).keys() == slow_weights(model).keys()
    assert all(torch.equal(weight, slow_weights(read)[n]) for n, weight in slow_weights(model).items())
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_an_untied_model_can_start_from_a_tied_one():
    tied = new_model(ModelConfig(embedding=5, hidden=5, tied=True), 7, seed=1)
    untied = new_model(ModelConfig(embedding=5, hidden=5), 7, seed=2)

    weights = fitting(slow_weights(tied), untied, "run 'r1'")

    assert torch.equal(weights["linear.weight"], weights["embedding.weight"])
    assert weights["linear.weight"] is not weights["embedding.weight"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ({"hidden": 5}, {"hidden": 6}, r"linear.weight is \(7, 5\) there and \(7, 6\) here"),
        ({"layers": 2}, {"layers": 1}, "rnn.bias_hh_l1 is .15,. there and none here"),
        ({"layers": 1}, {"layers": 2}, "rnn.bias_hh_l1 is none there and .15,. here"),
        ({}, {"tied": True}, "model.tied must be false, since input and output of run 'r1' are two tables"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_both_shapes(source, target, message):
    weights = slow_weights(new_model(ModelConfig(**{"embedding": 5, "hidden": 5, **source}), 7, seed=1))
    model = new_model(ModelConfig(**{"embedding": 5, "hidden": 5, **target}), 7, seed=1)

    with pytest.raises(ConfigError, match=message):
        fitting(weights, model, "run 'r1'")


def test_another_vocabulary_is_refused():
    config = ModelConfig(embedding=5, hidden=5)
    weights = slow_weights(new_model(config, 8, seed=1))

    with pytest.raises(ConfigError, match=r"is \(8, 5\) there and \(7, 5\) here; .* tokenizer"):
        fitting(weights, new_model(config, 7, seed=1), "run 'r1'")


@settings(max_examples=50)
@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False), min_size=1, max_size=9))
def test_a_halved_file_is_as_near_as_half_precision_gets_or_is_left_whole(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("halved")
    weight = torch.tensor(numbers)
    save_tensors(folder / "whole", {"weight": weight}, step=7, notes={"of": "r1"})

    halve(folder / "whole", folder / "half")

    read = load_weights(folder / "half")["weight"]
    assert read.dtype is torch.float32
    assert (read - weight).abs().max() <= weight.abs().max() / 2048
    if load_file(folder / "half")["weight"].dtype is torch.float32:
        assert torch.equal(read, weight)
        assert weight.abs().max() >= 65504 or weight.abs().max() < 2**-14
    assert notes_of(folder / "half") == {"of": "r1", "step": "7"}


def test_a_halved_file_is_half_as_large_and_still_tied(tmp_path):
    config = ModelConfig(embedding=32, hidden=32, tied=True)
    model, blank = new_model(config, 256, seed=1), new_model(config, 256, seed=2)
    save_weights(tmp_path / "whole", slow_weights(model), step=3)

    halve(tmp_path / "whole", tmp_path / "half")

    assert (tmp_path / "half").stat().st_size < 0.52 * (tmp_path / "whole").stat().st_size
    read = model_with(blank, load_weights(tmp_path / "half"), "run 'r1'")
    assert read.linear.weight is read.embedding.weight
    tokens_TB = torch.randint(256, (11, 2))
    assert torch.allclose(read(tokens_TB)[0], model(tokens_TB)[0], atol=2e-3)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"not weights")

    with pytest.raises(BundleError, match="weights.safetensors must be a safetensors file"):
        load_weights(path)
