import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalm.config import TokenizerConfig
from metalm.errors import BundleError
from metalm.text.bpe import BpeTokenizer
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer, fit, from_json

KINDS = ["bytes", "characters", "bpe"]
any_text = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def tokenizers(samples):
    """Each kind, learned from six languages in as many scripts."""
    texts = [samples[name] for name in ("en", "el", "ru", "ta", "ja", "ar")]
    return {kind: fit(TokenizerConfig(kind=kind, vocabulary=800), texts) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_widths_and_counts_add_up_on_every_shipped_language(tokenizers, samples, kind):
    tokenizer = tokenizers[kind]
    for text in samples.values():
        data = text.read(0, text.size)
        encoded = tokenizer.encode(data)
        assert encoded.widths.sum() == len(data)
        assert tokenizer.char_counts[encoded.ids].sum() == len(data.decode())
        assert encoded.ids.dtype == encoded.widths.dtype == np.int64
        if encoded.num_unknown == 0:
            assert tokenizer.byte_counts[encoded.ids].sum() == len(data)


@pytest.mark.parametrize("kind", ["bytes", "bpe"])
def test_every_shipped_language_comes_back_exactly(tokenizers, samples, kind):
    for text in samples.values():
        data = text.read(0, text.size)
        assert tokenizers[kind].decode(tokenizers[kind].encode(data).ids) == data


@pytest.mark.parametrize("kind", KINDS)
@given(text=any_text)
@settings(max_examples=100)
def test_widths_add_up_and_known_text_comes_back(tokenizers, kind, text):
    tokenizer, data = tokenizers[kind], text.encode()
    encoded = tokenizer.encode(data)
    assert encoded.widths.sum() == len(data)
    assert np.all((encoded.ids >= 0) & (encoded.ids < tokenizer.vocab_size))
    if encoded.num_unknown == 0:
        assert tokenizer.decode(encoded.ids) == data


@given(data=st.binary())
def test_bytes_tokenizer_takes_any_bytes(data):
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(data).ids) == data


@given(known=st.sets(st.characters(exclude_categories=["Cs"])), text=any_text)
def test_unknown_characters_cost_eight_bits_for_each_of_their_bytes(known, text):
    tokenizer = CharacterTokenizer(known)
    encoded = tokenizer.encode(text.encode())
    unknown = [character not in known for character in text]
    assert encoded.num_unknown == sum(unknown)
    assert [i == tokenizer.unknown_id for i in encoded.ids] == unknown
    assert list(encoded.widths) == [len(character.encode()) for character in text]
    expected = [8 * math.log(2) * len(c.encode()) * new for c, new in zip(text, unknown, strict=True)]
    if any(unknown):
        assert encoded.extra_nats == pytest.approx(expected)
    else:
        assert encoded.extra_nats is None


def test_characters_are_those_of_the_training_part_only(task_text):
    text = task_text("abc\n" * 1000 + "Ω" * 600)
    assert "Ω".encode() not in text.read(0, text.cut.train_end)
    tokenizer = fit(TokenizerConfig(kind="characters"), [text])
    assert tokenizer.pieces == (b"\n", b"a", b"b", b"c", "\N{REPLACEMENT CHARACTER}".encode())
    assert tokenizer.encode("Ωa".encode()).num_unknown == 1


def test_bpe_learns_from_the_training_part_only(task_text):
    text = task_text("abc abc\n" * 500 + "xyz xyz\n" * 160)
    pieces = fit(TokenizerConfig(kind="bpe"), [text]).pieces
    assert any(b"ab" in piece for piece in pieces)
    assert not any(b"xy" in piece for piece in pieces)


def test_bpe_is_the_same_when_learned_again(tokenizers, samples):
    texts = [samples[name] for name in ("en", "el", "ru", "ta", "ja", "ar")]
    assert fit(TokenizerConfig(kind="bpe", vocabulary=800), texts).hash == tokenizers["bpe"].hash


def test_bpe_has_the_vocabulary_asked_for_and_tokens_that_are_no_characters(tokenizers):
    bpe = tokenizers["bpe"]
    assert bpe.vocab_size == 800
    assert len(set(bpe.pieces)) == 800
    assert {bytes([byte]) for byte in range(256)} <= set(bpe.pieces)
    assert b"".join(bpe.token_bytes(i) for i in bpe.encode("né".encode()).ids) == "né".encode()


def test_bpe_reads_far_fewer_tokens_than_bytes(tokenizers, samples):
    data = samples["en"].read(0, samples["en"].size)
    assert len(tokenizers["bpe"].encode(data).ids) < 0.6 * len(data)


@given(lines=st.lists(st.text(st.sampled_from("ab  \t.é漢\r"), max_size=8), min_size=2))
@settings(max_examples=200)
def test_bpe_of_lines_is_that_of_the_whole_text(tokenizers, lines):
    bpe, lines = tokenizers["bpe"], [f"{line}\n".encode() for line in lines]
    apart = np.concatenate([bpe.encode(line).ids for line in lines])
    assert np.array_equal(apart, bpe.encode(b"".join(lines)).ids)


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_bytes_that_are_no_utf8_are_refused(tokenizers, kind):
    with pytest.raises(UnicodeDecodeError):
        tokenizers[kind].encode(b"\xff")


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_comes_back_from_json(tokenizers, samples, kind):
    tokenizer = tokenizers[kind]
    again = from_json(json.loads(json.dumps(tokenizer.to_json())))
    data = samples["ja"].read(0, 5000 - 5000 % 3)
    data = data.decode(errors="ignore").encode()
    assert (again.kind, again.hash, again.pieces) == (kind, tokenizer.hash, tokenizer.pieces)
    assert np.array_equal(again.encode(data).ids, tokenizer.encode(data).ids)


def test_hashes_differ_between_tokenizers(tokenizers):
    assert len({t.hash for t in tokenizers.values()}) == 3
    assert CharacterTokenizer("ab").hash == CharacterTokenizer("bab").hash != CharacterTokenizer("abc").hash


def _bpe_json(change):
    library = json.loads(BpeTokenizer.trained(["abc abc\n"], 300).to_json()["tokenizer"])
    change(library["model"])
    return {"kind": "bpe", "tokenizer": json.dumps(library)}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "words"},
        {"kind": "characters"},
        {"kind": "characters", "characters": ["a", "b"]},
        {"kind": "characters", "characters": "a\ud800"},
        {"kind": "bpe"},
        {"kind": "bpe", "tokenizer": "not JSON"},
        {"kind": "bpe", "tokenizer": "[]"},
        {"kind": "bpe", "tokenizer": '{"model": {"vocab": {}, "merges": []}}'},
        {"kind": "bpe", "tokenizer": '{"model": {"vocab": [1], "merges": 3}}'},
        _bpe_json(lambda model: model["vocab"].pop("a")),
        _bpe_json(lambda model: model["vocab"].update({"a": 100_000})),
        _bpe_json(lambda model: model["vocab"].update({"語": len(model["vocab"])})),
        _bpe_json(lambda model: model["merges"].append(["q", "z"])),
        _bpe_json(lambda model: model["merges"].append(["q"])),
        _bpe_json(lambda model: model["merges"].append([1, 2])),
    ],
)
def test_json_that_is_no_tokenizer_is_refused(data):
    with pytest.raises(BundleError):
        from_json(data)
