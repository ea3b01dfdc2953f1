import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metalm.config import ModelConfig
from metalm.errors import ConfigError, DivergedError
from metalm.evaluate.sampling import as_text, sample, sample_streams
from metalm.learn.stopping import Stopped
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.writer import PackedNetwork
from metalm.text.tokenizers import CharacterTokenizer


def sampled(contender, **settings):
    settings = {"support": "Die Straße ".encode(), "prompt": b"der ", "num_bytes": 40, **settings}
    return list(sample(contender.model, contender.weights, contender.tokenizer, **settings))


def test_the_same_seed_gives_the_same_text(gru, tokenizer):
    assert sampled(gru(tokenizer), seed=5) == sampled(gru(tokenizer), seed=5)
    assert sampled(gru(tokenizer), seed=5) != sampled(gru(tokenizer), seed=6)


def test_sampling_leaves_the_global_generator_alone(gru):
    contender = gru()
    state = torch.get_rng_state()
    sampled(contender)
    assert torch.equal(state, torch.get_rng_state())


def test_temperature_zero_takes_the_likeliest_token_each_time(gru):
    contender = gru()
    pieces = sampled(contender, temperature=0.0)

    stream = list("Die Straße der ".encode())
    for piece in pieces:
        logits, _ = contender.model(torch.tensor([stream]).T)
        assert piece == bytes([int(logits[-1, 0].argmax())])
        stream.extend(piece)
    assert pieces == sampled(contender, temperature=0.0, seed=9)


def test_a_low_temperature_comes_close_to_the_likeliest(gru):
    assert sampled(gru(), temperature=1e-9) == sampled(gru(), temperature=0.0)


def test_it_ends_with_the_token_that_reaches_the_bytes_asked_for(gru, tokenizer):
    pieces = sampled(gru(tokenizer), num_bytes=30)

    assert sum(map(len, pieces)) >= 30
    assert sum(map(len, pieces[:-1])) < 30
    assert sampled(gru(tokenizer), num_bytes=0) == []


def test_unknown_is_never_drawn(gru):
    contender = gru(CharacterTokenizer("ab"))
    contender.weights["linear.bias"][contender.tokenizer.unknown_id] = 50.0

    assert set(sampled(contender)) <= {b"a", b"b"}
    assert set(sampled(contender, temperature=0.0)) <= {b"a", b"b"}


def test_with_nothing_to_read_it_begins_as_after_a_line(gru, tokenizer):
    contender = gru(tokenizer)

    assert sampled(contender, support=b"", prompt=b"") == sampled(contender, support=b"", prompt=b"\n")


def test_the_weights_that_are_handed_in_do_the_writing(gru):
    contender = gru()
    contender.weights["linear.bias"].fill_(0.0)
    contender.weights["linear.bias"][ord("x")] = 100.0

    assert b"".join(sampled(contender)) == b"x" * 40


def test_a_long_support_is_read_in_one_stream(gru):
    contender, text = gru(), bytes(i * 7 % 256 for i in range(2500))
    whole = sampled(contender, support=text, prompt=b"")

    assert whole == sampled(contender, support=text[:1500], prompt=text[1500:])


def test_sampling_can_be_stopped(gru):
    drawn = []
    contender = gru()
    with pytest.raises(Stopped):
        drawn.extend(
            sample(contender.model, contender.weights, contender.tokenizer, should_stop=lambda: True)
        )


@pytest.mark.parametrize("temperature", [-1, float("nan"), float("inf")])
def test_a_temperature_out_of_range_is_refused(gru, temperature):
    with pytest.raises(ConfigError, match=f"temperature must be 0 to 1000, got {temperature}"):
        sampled(gru(), temperature=temperature)


def streams_of(contender, num_streams, **settings):
    settings = {"support": "Die Straße ".encode(), "num_bytes": 40, **settings}
    streams = sample_streams(
        contender.model, contender.weights, contender.tokenizer, num_streams=num_streams, **settings
    )
    return [b"".join(pieces) for pieces in zip(*streams, strict=True)]


def test_streams_side_by_side_are_texts_of_their_own_and_the_first_is_the_single_one(gru, tokenizer):
    contender = gru(tokenizer)
    texts = streams_of(contender, 64)

    assert len(set(texts)) > 1
    assert texts[0] == b"".join(sampled(contender, prompt=b""))
    assert texts[:3] == streams_of(contender, 3)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("tied", [False, True])
def test_compiled_code_writes_what_torch_writes(tokenizer, monkeypatch, layers, tied, temperature):
    # In float64, so that no rounding tips a draw.
    model = new_model(
        ModelConfig(embedding=20, hidden=20, layers=layers, tied=tied), tokenizer.vocab_size, seed=1
    ).double()
    options = {"num_streams": 11, "support": b"ett, ", "num_bytes": 40, "temperature": temperature}
    compiled = list(sample_streams(model, slow_weights(model), tokenizer, **options))
    monkeypatch.setattr(PackedNetwork, "available_for", lambda _weights: False)
    assert list(sample_streams(model, slow_weights(model), tokenizer, **options)) == compiled


def test_each_stream_ends_with_the_token_that_reaches_the_bytes_asked_for(gru, tokenizer):
    longest = max(map(len, tokenizer.pieces))

    assert all(30 <= len(text) < 30 + longest for text in streams_of(gru(tokenizer), 9, num_bytes=30))
    assert streams_of(gru(tokenizer), 2, num_bytes=0) == []


def test_tokens_are_drawn_as_often_as_their_probabilities_say(gru):
    contender = gru()
    contender.weights["linear.weight"].fill_(0.0)
    contender.weights["linear.bias"].fill_(-torch.inf)
    contender.weights["linear.bias"][list(b"abc")] = torch.tensor([0.2, 0.3, 0.5]).log()
    text = b"".join(streams_of(contender, 50, num_bytes=200))

    shares = [text.count(letter) / len(text) for letter in (b"a", b"b", b"c")]
    assert shares == pytest.approx([0.2, 0.3, 0.5], abs=0.02)  # 4 standard deviations of 10 000 draws


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_weights_that_diverged_write_nothing(gru, temperature):
    contender = gru()
    contender.weights["linear.bias"][0] = torch.nan

    with pytest.raises(DivergedError, match="logits must be finite"):
        sampled(contender, temperature=temperature)


@given(st.text())
def test_text_comes_whole_however_its_bytes_are_cut(text):
    data = text.encode(errors="replace")

    assert "".join(as_text(bytes([byte]) for byte in data)) == data.decode()


def test_bytes_that_are_no_text_are_replaced_and_a_cut_off_character_dropped():
    assert "".join(as_text([b"a\xff", b"b", "猫".encode()[:2]])) == "a\N{REPLACEMENT CHARACTER}b"


def test_a_tiny_nucleus_is_the_likeliest_token(gru, tokenizer):
    contender = gru(tokenizer)
    assert sampled(contender, top_p=1e-9) == sampled(contender, temperature=0.0)


def test_a_nucleus_of_all_changes_nothing(gru):
    contender = gru()
    assert sampled(contender, top_p=1 - 1e-12) == sampled(contender, top_p=1.0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_what_is_drawn_lies_in_the_nucleus(gru, temperature):
    contender = gru()
    contender.weights["linear.bias"][:20] += 3.0
    stream = list("Die Straße der ".encode())
    for piece in sampled(contender, top_p=0.6, temperature=temperature, seed=3):
        logits, _ = contender.model(torch.tensor([stream]).T)
        p, order = torch.softmax(logits[-1, 0] / temperature, -1).sort(descending=True)
        rank = order.tolist().index(piece[0])
        assert p[:rank].sum() < 0.6 + 1e-4  # what is likelier does not suffice
        stream.extend(piece)


@pytest.mark.parametrize("top_p", [0.0, -1.0, 1.1])
def test_a_nucleus_out_of_range_is_refused(gru, top_p):
    with pytest.raises(ConfigError, match=f"top_p must be above 0 and at most 1, got {top_p}"):
        sampled(gru(), top_p=top_p)


def test_a_nucleus_of_broken_weights_is_refused(gru):
    contender = gru()
    contender.weights["linear.bias"][0] = torch.nan
    with pytest.raises(DivergedError):
        sampled(contender, top_p=0.5)
