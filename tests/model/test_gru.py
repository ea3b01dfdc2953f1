import pytest
import torch

from metalm.config import ModelConfig
from metalm.model.gru import GRULM, new_model

# Shapes: 11 tokens, 2 texts, vocabulary 7.


@pytest.fixture
def tokens_TB():
    return torch.randint(7, (11, 2))


def test_the_articles_class_gives_the_same_logits(language_model, model, tokens_TB):
    theirs = language_model(7, 3, 5)
    theirs.load_state_dict(model.state_dict(), strict=True)

    logits_TBV, hidden = model(tokens_TB)

    expected_TBV, expected_hidden = theirs(tokens_TB, None)
    assert torch.equal(logits_TBV, expected_TBV)
    assert torch.equal(hidden, expected_hidden)


def test_a_text_in_two_pieces_costs_what_it_costs_in_one(model, tokens_TB):
    whole, last = model(tokens_TB)
    first, hidden = model(tokens_TB[:4])
    second, hidden = model(tokens_TB[4:], hidden)

    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-6)
    assert torch.allclose(hidden, last, atol=1e-6)


def test_weights_follow_from_the_seed_and_not_from_the_global_generator():
    config = ModelConfig(embedding=3, hidden=5, layers=2)
    torch.manual_seed(1)
    first = new_model(config, 7, seed=5).state_dict()
    torch.manual_seed(2)
    second = new_model(config, 7, seed=5).state_dict()
    other = new_model(config, 7, seed=6).state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_new_weights_are_distributed_as_torchs_own():
    config = ModelConfig(embedding=64, hidden=100)
    ours, theirs = new_model(config, 256, seed=0).state_dict(), GRULM(config, 256).state_dict()

    for name in ours:
        if "bias" not in name:
            assert float(ours[name].std() / theirs[name].std()) == pytest.approx(1, abs=0.05)
        assert float(ours[name].abs().max()) == pytest.approx(float(theirs[name].abs().max()), rel=0.4)


@pytest.mark.parametrize("layers", [1, 3])
def test_dropping_next_to_nothing_gives_the_plain_network(layers, tokens_TB):
    # The path that runs layer by layer is the plain one's equal, state included.
    plain = new_model(ModelConfig(embedding=3, hidden=5, layers=layers), 7, seed=1)
    dropping = GRULM(ModelConfig(embedding=3, hidden=5, layers=layers, dropout=1e-12), 7)
    dropping.load_state_dict(plain.state_dict())
    start = torch.randn(layers, 2, 5)

    logits, hidden = dropping(tokens_TB, start, torch.Generator().manual_seed(0))

    expected_logits, expected_hidden = plain(tokens_TB, start)
    assert torch.allclose(logits, expected_logits, atol=1e-6)
    assert torch.allclose(hidden, expected_hidden, atol=1e-6)


def test_dropout_follows_from_its_generator_alone(tokens_TB):
    model = new_model(ModelConfig(embedding=3, hidden=5, layers=2, dropout=0.5), 7, seed=1)
    before = torch.get_rng_state()

    first, _ = model(tokens_TB, generator=torch.Generator().manual_seed(3))
    again, _ = model(tokens_TB, generator=torch.Generator().manual_seed(3))
    other, _ = model(tokens_TB, generator=torch.Generator().manual_seed(4))
    without, _ = model(tokens_TB)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(without, model(tokens_TB)[0])
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_keeps_the_mean_of_what_it_drops():
    dropping = GRULM(ModelConfig(embedding=3, hidden=5, dropout=0.3), 7)
    dropped = dropping._dropped(torch.ones(200, 200), torch.Generator().manual_seed(0))

    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.02)


def test_a_tied_model_has_one_table():
    tied = new_model(ModelConfig(embedding=5, hidden=5, tied=True), 7, seed=1)

    assert tied.linear.weight is tied.embedding.weight
    assert [name for name, _ in tied.named_parameters()].count("linear.weight") == 0
