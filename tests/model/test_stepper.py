import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.config import ModelConfig
from metalm.model.fast_weights import run, slow_weights
from metalm.model.gru import new_model
from metalm.model.stepper import Stepper, state_after


@pytest.fixture(params=[1, 2, 3, "tied"])
def network(request):
    """A network of that many layers, or a tied one, and weights that are not its own."""
    tied = request.param == "tied"
    config = ModelConfig(embedding=5 if tied else 3, hidden=5, layers=2 if tied else request.param, tied=tied)
    return new_model(config, 7, seed=1), slow_weights(new_model(config, 7, seed=2))


def zeros(model, streams):
    weight = next(model.parameters())
    return weight.new_zeros(model.config.layers, streams, model.config.hidden).detach()


@pytest.mark.parametrize("num_streams", [1, 64])
def test_steps_give_the_logits_of_the_whole_text(network, num_streams):
    model, weights = network
    tokens_BT = torch.randint(7, (num_streams, 12))
    expected_BTV, hidden_LBH = run(model, weights, tokens_BT)

    stepper = Stepper(model, weights)
    steps = [stepper.step(tokens_B).clone() for tokens_B in tokens_BT.T]

    torch.testing.assert_close(torch.stack(steps, 1), expected_BTV, rtol=0, atol=1e-6)
    torch.testing.assert_close(stepper.hidden_LBH, hidden_LBH, rtol=0, atol=1e-6)


@settings(max_examples=25)
@given(layers=st.integers(1, 3), hidden=st.integers(1, 40), streams=st.integers(1, 9), cut=st.integers(1, 7))
def test_reading_and_stepping_leave_the_same_state_in_float64(layers, hidden, streams, cut):
    model = new_model(ModelConfig(embedding=4, hidden=hidden, layers=layers), 11, seed=3).double()
    weights = slow_weights(model)
    tokens_BT = torch.randint(11, (streams, 8))
    expected_BTV, hidden_LBH = run(model, weights, tokens_BT)

    stepper = Stepper(model, weights, state_after(weights, tokens_BT[:, :cut], zeros(model, streams)))
    logits_BV = [stepper.step(tokens_B) for tokens_B in tokens_BT[:, cut:].T][-1]

    torch.testing.assert_close(logits_BV, expected_BTV[:, -1], rtol=0, atol=1e-12)
    torch.testing.assert_close(stepper.hidden_LBH, hidden_LBH, rtol=0, atol=1e-12)


def test_a_text_read_in_pieces_is_one_stream(network):
    model, weights = network
    tokens_BT = torch.randint(7, (2, 12))
    start_LBH = hidden_LBH = zeros(model, 2)

    for piece_BT in tokens_BT.split(5, dim=1):
        hidden_LBH = state_after(weights, piece_BT, hidden_LBH)

    whole_LBH = state_after(weights, tokens_BT, start_LBH)
    torch.testing.assert_close(hidden_LBH, whole_LBH, rtol=0, atol=1e-6)


def test_what_one_stream_has_read_is_known_to_all_that_go_on_from_it(network):
    model, weights = network
    read_T, tokens_B = torch.randint(7, (6,)), torch.arange(7)
    stepper = Stepper(model, weights, state_after(weights, read_T[None], zeros(model, 1)))

    logits_BV = stepper.step(tokens_B)

    for token in tokens_B:
        expected_BTV, _ = run(model, weights, torch.cat([read_T, token[None]])[None])
        torch.testing.assert_close(logits_BV[token], expected_BTV[0, -1], rtol=0, atol=1e-6)


def test_the_weights_are_left_as_they_were(network):
    model, weights = network
    before = {name: weight.clone() for name, weight in weights.items()}
    stepper = Stepper(model, weights, state_after(weights, torch.randint(7, (2, 5)), zeros(model, 2)))
    stepper.step(torch.tensor([1, 2]))

    assert all(torch.equal(weight, before[name]) for name, weight in weights.items())
    assert not any(
        weight.requires_grad for weight in (stepper.hidden_LBH, stepper.step(torch.tensor([1, 2])))
    )
