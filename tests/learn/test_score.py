import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.config import ModelConfig
from metalm.learn import score as score_module
from metalm.learn.score import Stream, num_chars, score, scores, stream_nats, token_nats
from metalm.learn.stopping import Stopped
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.model.task_weights import shared, side_by_side
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer
from metalm.units import bits_per_byte

SUPPORT, QUERY = "Grüße aus ".encode(), "Köln, ja".encode()


def test_a_uniform_model_costs_eight_bits_for_every_byte(model, tokenizer):
    weights = {name: torch.zeros_like(weight) for name, weight in slow_weights(model).items()}

    cost = score(engine_for(model), weights, tokenizer, SUPPORT, QUERY)

    assert bits_per_byte(cost.nats, cost.bytes) == pytest.approx(8, rel=1e-7)
    assert (cost.tokens, cost.bytes, cost.chars) == (9, 9, 8)


def test_the_sum_of_nats_equals_plain_torch_token_by_token(model, tokenizer):
    # Independently: one token at a time, a softmax by hand.
    expected, hidden = [], None
    stream = SUPPORT + QUERY
    for position, byte in enumerate(stream[:-1]):
        logits, hidden = model(torch.tensor([[byte]]), hidden)
        p = torch.exp(logits[0, 0]) / torch.exp(logits[0, 0]).sum()
        if position + 1 >= len(SUPPORT):
            expected.append(-math.log(float(p[stream[position + 1]].detach())))

    nats = token_nats(engine_for(model), slow_weights(model), tokenizer, SUPPORT, QUERY)

    assert nats.dtype == np.float64
    assert nats == pytest.approx(expected, abs=1e-5)
    assert score(engine_for(model), slow_weights(model), tokenizer, SUPPORT, QUERY).nats == pytest.approx(
        sum(expected)
    )


def test_the_first_byte_costs_the_vocabulary_when_there_is_no_support(model, tokenizer):
    nats = token_nats(engine_for(model), slow_weights(model), tokenizer, b"", QUERY)

    assert len(nats) == len(QUERY)
    assert nats[0] == math.log(256)
    assert nats[1:] == pytest.approx(
        token_nats(engine_for(model), slow_weights(model), tokenizer, QUERY[:1], QUERY[1:])
    )


@settings(max_examples=30)
@given(support=st.binary(max_size=20), query=st.binary(max_size=20), chunk=st.integers(1, 9))
def test_chunks_change_nothing_and_every_byte_is_charged_once(support, query, chunk):
    model, tokenizer = new_model(ModelConfig(embedding=3, hidden=5), 256, seed=1), ByteTokenizer()
    engine, weights = engine_for(model), slow_weights(model)
    whole = token_nats(engine, weights, tokenizer, support, query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_module, "_CHUNK_LOGITS", 0)
        patch.setattr(score_module, "_CHUNK_TOKENS", chunk)
        pieces = token_nats(engine, weights, tokenizer, support, query)

    assert pieces == pytest.approx(whole, abs=1e-5)
    assert len(whole) == len(query)
    # A text read in two queries costs what it costs in one.
    half = len(query) // 2
    first = token_nats(engine, weights, tokenizer, support, query[:half])
    second = token_nats(engine, weights, tokenizer, support + query[:half], query[half:])
    if support or half:
        assert np.concatenate([first, second]) == pytest.approx(whole, abs=1e-5)


RAGGED = st.lists(
    st.tuples(st.binary(max_size=30), st.binary(max_size=30)), min_size=1, max_size=6
)  # supports and queries, one of them perhaps empty, or both


@settings(max_examples=30)
@given(pairs=RAGGED, chunk=st.integers(1, 40), layers=st.integers(1, 2), same=st.booleans())
def test_ragged_tasks_side_by_side_cost_what_each_costs_alone(pairs, chunk, layers, same):
    tokenizer, config = ByteTokenizer(), ModelConfig(embedding=3, hidden=5, layers=layers)
    models = [new_model(config, 256, seed=0 if same else seed).double() for seed in range(len(pairs))]
    engine, each = engine_for(models[0]), [slow_weights(model) for model in models]
    weights = shared(each[0], len(pairs)) if same else side_by_side(each)
    streams = [Stream.of(tokenizer, *pair) for pair in pairs]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_module, "_CHUNK_LOGITS", 0)
        patch.setattr(score_module, "_CHUNK_TOKENS", chunk)
        together = stream_nats(engine, weights, streams)
        costs = scores(engine, weights, streams)

    for own, pair, nats, cost in zip(each, pairs, together, costs, strict=True):
        assert nats == pytest.approx(token_nats(engine, own, tokenizer, *pair), abs=1e-10)
        alone = score(engine, own, tokenizer, *pair)
        assert cost.nats == pytest.approx(alone.nats, abs=1e-10)
        assert (cost.tokens, cost.bytes, cost.chars) == (alone.tokens, alone.bytes, alone.chars)


def test_no_task_has_no_score(model):
    assert scores(engine_for(model), {}, []) == []


def test_unknown_characters_are_charged_with_their_bytes():
    tokenizer = CharacterTokenizer("abc")
    model = new_model(ModelConfig(embedding=3, hidden=5), tokenizer.vocab_size, seed=1)
    weights = {name: torch.zeros_like(weight) for name, weight in slow_weights(model).items()}

    cost = score(engine_for(model), weights, tokenizer, b"ab", "añ€".encode())

    assert cost.nats == pytest.approx(3 * math.log(4) + 5 * 8 * math.log(2))
    assert (cost.tokens, cost.bytes, cost.chars) == (3, 6, 3)


def test_an_empty_query_costs_nothing(model, tokenizer):
    cost = score(engine_for(model), slow_weights(model), tokenizer, SUPPORT, b"")

    assert (cost.nats, cost.tokens, cost.bytes, cost.chars) == (0, 0, 0, 0)


def test_scoring_can_be_stopped_between_chunks(model, tokenizer):
    with pytest.raises(Stopped):
        score(engine_for(model), slow_weights(model), tokenizer, SUPPORT, QUERY, should_stop=lambda: True)


@given(st.text())
def test_characters_are_counted_from_bytes(text):
    assert num_chars(text.encode(errors="ignore")) == len(text.encode(errors="ignore").decode())
