"""Made-up scripts: another writing of the same text, from which nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metalm.config import ALGORITHMS, Drawing, RunConfig, TokenizerConfig
from metalm.errors import ConfigError
from metalm.learn.meta_batches import MetaBatches
from metalm.learn.windows import Batch, Episode, Streams
from metalm.learn.writing import in_script, made_up, rewritten

TEXT = "Größe und Länge. Привет, мир! 猫も見ている。 ગુજરાતી 0123\n"


def tokens_of(data):
    return torch.tensor(list(data))[None]


@given(seed=st.integers(0, 10_000))
def test_a_script_is_utf_8_and_can_be_read_back(seed):
    writing = made_up(np.random.default_rng(seed))
    assert len(set(writing)) == 256  # no two bytes become the same
    text = b"".join(writing[byte] for byte in TEXT.encode())
    # Characters stay characters: lead and continuation bytes are where UTF-8 wants them. Some of the code
    # points that come out are none (surrogates, overlong forms), so they are only counted.
    leads = [byte for byte in text if byte & 0xC0 != 0x80]
    assert len(leads) == len(TEXT)
    # No writing of a letter begins another's: what was written can be told apart.
    letters = sorted(writing[byte] for byte in range(128))
    assert not any(b.startswith(a) for a, b in zip(letters, letters[1:], strict=False))


@given(seed=st.integers(0, 10_000))
def test_what_is_no_letter_stays(seed):
    writing = made_up(np.random.default_rng(seed))
    plain = [byte for byte in range(128) if not chr(byte).isalpha()]
    assert [writing[byte] for byte in plain] == [bytes([byte]) for byte in plain]


def test_scripts_of_one_two_and_three_bytes_occur():
    widths = {len(made_up(np.random.default_rng(seed))[ord("e")]) for seed in range(50)}
    assert widths == {1, 2, 3}


def test_windows_keep_their_length():
    writing = made_up(np.random.default_rng(3))
    tokens = tokens_of(TEXT.encode())
    found = rewritten(tokens, writing)
    assert found.shape == tokens.shape
    whole = b"".join(writing[byte] for byte in TEXT.encode())
    assert bytes(found[0].tolist()) == whole[: tokens.shape[1]]


@pytest.mark.parametrize("name", ["joint", "fomaml", "sequential"])
def test_a_visit_is_in_one_script(name, make_text, tokenizer, tmp_path):
    texts = [make_text("one"), make_text("two")]
    plain = RunConfig(algorithm=ALGORITHMS[name](), drawing=Drawing(meta_batch=2))
    always = replace(plain, drawing=replace(plain.drawing, made_up=1.0))
    before, after = (MetaBatches(config, texts, tokenizer, tmp_path) for config in (plain, always))
    for place, (old, new) in enumerate(zip(before.visits(5), after.visits(5), strict=True)):
        rng = np.random.default_rng([plain.seed, 5, place])
        rng.random()  # whether it is rewritten at all
        expected = in_script(old, made_up(rng))
        for x, y in zip(tensors(expected), tensors(new), strict=True):
            assert x.equal(y)
        assert not all(x.equal(y) for x, y in zip(tensors(old), tensors(new), strict=True))


def tensors(visit):
    match visit:
        case Episode():
            return [visit.support.windows_NT, visit.query_BT]
        case Batch():
            return [visit.windows_BT]
        case Streams():
            return [visit.tokens_BT]


def test_none_of_the_visits_changes_where_none_is_asked_for(make_text, tokenizer, tmp_path):
    texts = [make_text("one"), make_text("two")]
    some = RunConfig(drawing=Drawing(meta_batch=2, made_up=0.5))
    none = replace(some, drawing=replace(some.drawing, made_up=0.0))
    pairs = [
        (x, y)
        for step in range(1, 30)
        for x, y in zip(
            MetaBatches(none, texts, tokenizer, tmp_path).visits(step),
            MetaBatches(some, texts, tokenizer, tmp_path).visits(step),
            strict=True,
        )
    ]
    same = sum(x.query_BT.equal(y.query_BT) for x, y in pairs)
    assert 0.3 < same / len(pairs) < 0.7


def test_only_bytes_have_scripts_made_up():
    with pytest.raises(ConfigError, match="made_up must be 0 where tokens are no bytes, got 0.5 with bpe"):
        RunConfig(tokenizer=TokenizerConfig(kind="bpe"), drawing=Drawing(made_up=0.5))
