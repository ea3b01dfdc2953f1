import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from metalm.config import ModelConfig
from metalm.model.flops import flops, forward_flops
from metalm.model.gru import new_model


@pytest.mark.parametrize("tied", [False, True])
def test_a_token_costs_two_operations_a_weight_of_every_product(tied):
    model = new_model(ModelConfig(embedding=5, hidden=5, layers=2, tied=tied), 11, seed=1)

    products = [weight for name, weight in model.named_parameters() if name.startswith("rnn.weight")]
    assert forward_flops(model) == 2 * (sum(weight.numel() for weight in products) + 5 * 11)


def test_torch_counts_the_same_for_the_output_layer_and_its_gradient():
    model = new_model(ModelConfig(embedding=3, hidden=5), 11, seed=1)
    with FlopCounterMode(display=False) as counter:
        model.linear(torch.randn(1, 5, requires_grad=True)).sum().backward()

    assert counter.get_total_flops() == 3 * 2 * 5 * 11


def test_passes_add_up():
    model = new_model(ModelConfig(embedding=3, hidden=5), 11, seed=1)

    assert flops(model, scored=1, gradients=2, hessian_products=3) == (1 + 6 + 27) * forward_flops(model)
    assert flops(model) == 0
