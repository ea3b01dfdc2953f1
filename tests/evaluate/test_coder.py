import math
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.errors import ConfigError
from metalm.evaluate.coder import Cache, CompiledCoder, NumpyCoder, cached_nats, library, new_coder
from metalm.evaluate.dynamic import Dynamic
from metalm.learn.score import Stream, stream_nats
from metalm.model.engines import engine_for
from metalm.model.task_weights import shared
from metalm.text.tokenizers import ByteTokenizer

STILL = Dynamic(lr=0.0)


def sample(language, size):
    return (resources.files("metalm") / f"samples/languages/{language}.txt").read_bytes()[:size]


def nats_of(contender, pairs, dynamic=STILL, **settings):
    """Nats of each query byte of each (support, query)."""
    streams = [Stream.of(ByteTokenizer(), *pair) for pair in pairs]
    weights = shared(contender.weights, len(streams))
    return cached_nats(engine_for(contender.model), weights, streams, Cache(**settings), dynamic)


@pytest.mark.parametrize("language", ["el", "ja", "de"])
def test_without_a_cache_and_a_rate_it_is_the_grus_own_score(gru, language):
    text = sample(language, 900)
    contender = gru()
    pairs = [(text[:300], text[300:]), (b"", text[:100])]
    streams = [Stream.of(ByteTokenizer(), *pair) for pair in pairs]
    own = stream_nats(engine_for(contender.model), shared(contender.weights, 2), streams)

    for mixed, alone in zip(nats_of(contender, pairs, order=-1, rate=0.0), own, strict=True):
        assert mixed == pytest.approx(alone, rel=1e-5)


@settings(max_examples=30)
@given(data=st.binary(min_size=1, max_size=40), seed=st.integers(0, 99))
def test_the_charges_of_all_256_bytes_are_of_one_distribution(data, seed):
    said = np.random.default_rng(seed).normal(size=(len(data) + 1, 256)).astype(np.float32)
    said -= np.log(np.exp(said).sum(axis=1, keepdims=True))

    def last_charge(byte):
        ids = np.frombuffer(data + bytes([byte]), dtype=np.uint8)
        return new_coder(Cache(rate=0.01)).nats(said, ids)[-1]

    assert sum(math.exp(-last_charge(byte)) for byte in range(256)) == pytest.approx(1.0, abs=1e-9)


TEXTS = {name: sample(name, 1200) for name in ("en", "ja", "ta", "ar")}


@pytest.mark.skipif(library() is None, reason="no C compiler here")
@settings(max_examples=40)
@given(
    text=st.one_of(
        st.sampled_from(sorted(TEXTS)).map(TEXTS.get), st.binary(max_size=300), st.text().map(str.encode)
    ),
    order=st.sampled_from([-1, 0, 2, 5, 16]),
    words=st.booleans(),
    rate=st.sampled_from([0.0, 0.001, 0.05]),
    cuts=st.lists(st.integers(0, 1200), max_size=3),
)
def test_the_compiled_coder_charges_what_its_parts_do(text, order, words, rate, cuts):
    told = Cache(order=order, words=words, rate=rate)
    said = np.random.default_rng(len(text)).normal(size=(len(text), 256)).astype(np.float32)
    ids = np.frombuffer(text, dtype=np.uint8)
    expected = NumpyCoder(told).nats(said, ids)

    compiled, ends = CompiledCoder(told), sorted({*(min(cut, len(text)) for cut in cuts), len(text)})
    parts = [compiled.nats(said[a:b], ids[a:b]) for a, b in zip([0, *ends], ends, strict=False)]

    # The parts keep chances in float32, and weights learn from what they say: with a large rate and long
    # contexts single charges drift apart by up to 1 % in a text, and what they come to by far less.
    drift = {"rel": 0.03, "abs": 5e-3} if rate > 0.001 and order > 5 else {"rel": 1e-3, "abs": 1e-4}
    found = np.concatenate(parts)
    assert found == pytest.approx(expected, **drift)
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-4, abs=1e-3)


@pytest.mark.skipif(library() is None, reason="no C compiler here")
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_compiled_coder_comes_to_the_same_where_rounding_weighs_most(name):
    told = Cache(order=16, words=True, rate=0.05)
    ids = np.frombuffer(TEXTS[name], dtype=np.uint8)
    said = np.random.default_rng(len(ids)).normal(size=(len(ids), 256)).astype(np.float32)
    expected, found = NumpyCoder(told).nats(said, ids), CompiledCoder(told).nats(said, ids)
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-4)
    assert found == pytest.approx(expected, rel=0.03, abs=5e-3)


@pytest.mark.skipif(library() is None, reason="no C compiler here")
def test_what_is_no_number_is_charged_as_none():
    said = np.zeros((3, 256), dtype=np.float32)
    said[1] = np.nan
    for kind in (NumpyCoder, CompiledCoder):
        nats = kind(Cache(rate=0.01)).nats(said, np.zeros(3, dtype=np.uint8))
        assert np.isfinite(nats).tolist() == [True, False, False]


@pytest.mark.parametrize("dynamic", [STILL, Dynamic(lr=0.3, segment=8)])
def test_no_charge_follows_from_what_comes_later(gru, dynamic):
    text = sample("uk", 700)
    support, begin, end = text[:200], text[200:400], text[400:]
    [one], [other] = (
        nats_of(gru(), [(support, query)], dynamic) for query in (begin + end, begin + end[::-1])
    )

    # Segments begin in the support set, so the change comes in the middle of one.
    assert np.array_equal(one[: len(begin)], other[: len(begin)])
    assert not np.allclose(one[len(begin) :], other[len(begin) :])


def test_a_segment_of_any_length_gives_the_same_charges_where_weights_stay(gru):
    pair = sample("hu", 150), sample("hu", 400)[150:]
    [one] = nats_of(gru(), [pair], replace(STILL, segment=7))
    [other] = nats_of(gru(), [pair], replace(STILL, segment=1000))
    assert one == pytest.approx(other, rel=1e-4)


def test_cache_and_mixing_learn_from_the_support_set_too(gru):
    text = sample("ta", 3000)
    query = text[1500:]
    [with_support], [without] = (nats_of(gru(), [(support, query)]) for support in (text[:1500], b""))
    assert with_support[:300].sum() < 0.9 * without[:300].sum()


def test_the_first_byte_of_a_stream_costs_eight_bits(gru):
    [nats] = nats_of(gru(), [(b"", b"z")])
    assert nats == pytest.approx([math.log(256)])


def test_texts_of_no_byte_beyond_the_first_are_charged(gru):
    nats = nats_of(gru(), [(b"a", b"b"), (b"abc", b""), (b"", b"")])
    assert [len(each) for each in nats] == [1, 0, 0]
    assert nats_of(gru(), []) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"order": 17}, r"cache.order must be 16 or less, got 17"),
        ({"order": -2}, r"cache.order must be -1 or more, got -2"),
        ({"rate": -0.1}, r"cache.rate must be 0 or more, got -0.1"),
        ({"rate": math.nan}, r"cache.rate must be a finite number, got nan"),
    ],
)
def test_settings_out_of_range_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Cache(**given)
