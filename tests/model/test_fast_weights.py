import torch

from metalm.config import ModelConfig
from metalm.model.fast_weights import mean_weights, num_weights, run, slow_weights
from metalm.model.gru import new_model


def test_slow_weights_give_the_models_own_logits_with_the_axes_turned(model):
    tokens_BT = torch.randint(7, (2, 11))

    logits_BTV, hidden = run(model, slow_weights(model), tokens_BT)

    expected_TBV, expected_hidden = model(tokens_BT.T)
    assert torch.equal(logits_BTV, expected_TBV.transpose(0, 1))
    assert torch.equal(hidden, expected_hidden)


def test_fast_weights_are_used_in_place_of_the_models_own(model):
    other = new_model(model.config, 7, seed=2)
    tokens_BT = torch.randint(7, (2, 11))
    before = {name: weight.clone() for name, weight in slow_weights(model).items()}

    logits_BTV, _ = run(model, slow_weights(other), tokens_BT)

    assert torch.equal(logits_BTV, run(other, slow_weights(other), tokens_BT)[0])
    assert all(torch.equal(weight, before[name]) for name, weight in slow_weights(model).items())


def test_a_tied_table_changes_input_and_output_together():
    config = ModelConfig(embedding=5, hidden=5, tied=True)
    model, other = new_model(config, 7, seed=1), new_model(config, 7, seed=2)
    tokens_BT = torch.randint(7, (2, 11))

    logits_BTV, _ = run(model, slow_weights(other), tokens_BT)

    assert torch.equal(logits_BTV, run(other, slow_weights(other), tokens_BT)[0])
    assert num_weights(model) == 7 * 5 + 2 * 15 * 5 + 2 * 15 + 7


def test_mean_weights_are_the_mean_of_each():
    first, second = ({"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, 6.0])})

    assert torch.equal(mean_weights([first, second])["w"], torch.tensor([2.0, 4.0]))
