import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from metalm.errors import ConfigError, SplitError
from metalm.evaluate.baselines import uniform_nats, unigram_nats
from metalm.evaluate.live import (
    MIN_PASTE_BYTES,
    adapt_live,
    baseline_char_nats,
    character_nats,
    cut_paste,
)
from metalm.evaluate.ngram import ngram_nats
from metalm.learn.inner import SupportSet, adapt
from metalm.learn.score import score
from metalm.learn.stopping import Stopped
from metalm.model.engines import engine_for
from metalm.model.task_weights import of_task, shared
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer

SUPPORT = "der Bär trinkt süßen Tee, ".encode() * 4
QUERY = "die Straße 猫も 😀 läuft".encode()


def steps_of(contender, **others):
    return list(
        adapt_live(
            contender.model,
            contender.weights,
            contender.tokenizer,
            SUPPORT,
            QUERY,
            contender.rule,
            **others,
        )
    )


def test_every_step_has_the_score_of_its_weights(gru, tokenizer):
    contender = gru(tokenizer, steps=3)
    live = steps_of(contender)

    assert [step.step for step in live] == [0, 1, 2, 3]
    support = SupportSet.of_text(tokenizer, SUPPORT, contender.rule.inner.window)
    engine, slow = engine_for(contender.model), shared(contender.weights, 1)
    fast = of_task(adapt(engine, slow, [support], contender.rule), 0)
    for step, weights in ((live[0], contender.weights), (live[3], fast)):
        expected = score(engine, weights, tokenizer, SUPPORT, QUERY)
        assert step.score.nats == pytest.approx(expected.nats)
        counts = step.score.tokens, step.score.bytes, step.score.chars
        assert counts == (expected.tokens, expected.bytes, expected.chars)


def test_the_nats_of_the_characters_add_up_to_the_score(gru, tokenizer):
    for step in steps_of(gru(tokenizer)):
        assert len(step.char_nats) == len(QUERY.decode()) == step.score.chars
        assert step.char_nats.sum() == step.score.nats
        assert (step.char_nats > 0).all()


def test_the_bytes_of_a_character_are_summed():
    encoded = ByteTokenizer().encode("aß猫".encode())

    chars = character_nats(encoded, np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "aß猫".encode())

    assert chars.tolist() == [1.0, 5.0, 15.0]


def test_a_token_of_several_characters_is_spread_over_them(tokenizer):
    encoded = tokenizer.encode(QUERY)
    chars = character_nats(encoded, encoded.widths.astype(float), QUERY)

    if encoded.extra_nats is None:  # a nat a byte: each character costs its bytes
        assert chars == pytest.approx([len(c.encode()) for c in QUERY.decode()])


def test_an_unknown_character_carries_its_own_bytes():
    encoded = CharacterTokenizer("ab").encode("a猫".encode())

    chars = character_nats(encoded, np.array([1.0, 1.0]), "a猫".encode())

    assert chars == pytest.approx([1.0, 1.0 + 3 * np.log(256)])


def test_an_empty_query_has_no_characters():
    assert character_nats(ByteTokenizer().encode(b""), np.zeros(0), b"").tolist() == []


def test_adaptation_stops_between_steps(gru):
    seen, contender = [], gru(steps=50)
    live = adapt_live(
        contender.model,
        contender.weights,
        contender.tokenizer,
        SUPPORT,
        QUERY,
        contender.rule,
        should_stop=lambda: len(seen) == 2,
    )
    with pytest.raises(Stopped):
        seen.extend(live)  # takes them one by one
    assert len(seen) == 2


@given(st.text(min_size=MIN_PASTE_BYTES, max_size=2000), st.floats(0.1, 0.9))
def test_a_paste_is_cut_in_two_at_a_character(text, share):
    support, query = cut_paste(text, share)

    assert (support.decode() + query.decode()).encode() == text.encode(errors="replace")
    assert support
    assert query
    size = len(support) + len(query)
    assert abs(len(query) - share * size) <= 0.1 * size + 4


def test_a_paste_is_cut_at_the_nearest_line_end():
    lines = [f"line {i:03} of this text\n" for i in range(40)]

    support, query = cut_paste("".join(lines), 0.25)

    assert support.endswith(b"\n")
    assert query.startswith(b"line 030")


def test_a_paste_without_lines_near_the_place_is_cut_at_a_character():
    support, query = cut_paste("\n" + "猫" * 200, 0.5)

    assert abs(len(support) - len(query)) <= 6


@pytest.mark.parametrize(
    ("text", "share", "message"),
    [
        ("short", 0.3, "text has 5 bytes, needs 256 for a support and a query set; paste more"),
        ("", 0.3, "text has 0 bytes, needs 256 .*"),
        ("x" * 500, 1.0, "the share of the query must be between 0 and 1, got 1.0"),
    ],
)
def test_a_paste_that_cannot_be_cut_is_refused(text, share, message):
    with pytest.raises(SplitError, match=message):
        cut_paste(text, share)


@pytest.mark.parametrize(
    ("name", "whole"),
    [("uniform", uniform_nats), ("unigram", unigram_nats), ("n-gram", lambda s, q: ngram_nats(s, q).sum())],
)
def test_what_a_baseline_charges_each_character_adds_up_to_its_score(name, whole):
    chars = baseline_char_nats(name, SUPPORT, QUERY)

    assert len(chars) == len(QUERY.decode())
    assert chars.sum() == pytest.approx(whole(SUPPORT, QUERY))


def test_a_baseline_that_there_is_not_is_named():
    with pytest.raises(ConfigError, match="must be one of n-gram, unigram, uniform, got 'PPMd'"):
        baseline_char_nats("PPMd", SUPPORT, QUERY)


@given(st.lists(st.sampled_from(["a", "e\u0301", "👩\u200d👩\u200d👧", "स्ते", "ที่", "猫", " "]), min_size=256))
def test_a_cut_parts_nothing_that_readers_take_for_a_character(clusters):
    text = "".join(clusters)
    support, query = cut_paste(text, 0.3)
    parts = [regex.findall(r"\X", part.decode()) for part in (support, query)]
    assert parts[0] + parts[1] == regex.findall(r"\X", text)


def test_one_endless_character_is_cut_all_the_same():
    support, query = cut_paste("e" + "\u0301" * 300, 0.5)
    assert abs(len(support) - len(query)) <= 3
