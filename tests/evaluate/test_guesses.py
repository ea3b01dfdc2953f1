"""What a model expects at each character agrees with what the character then costs, in every tokenizer."""

import math

import numpy as np
import pytest

from metalm.evaluate.guesses import BEST, guesses
from metalm.evaluate.live import adapt_live
from metalm.learn.stopping import Stopped
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer

SUPPORT = "der Bär trinkt süßen Tee, ".encode() * 3
QUERY = "die Straße 猫も 😀 läuft e\u0301".encode()


def guessed(contender, support=SUPPORT, query=QUERY, **others):
    return guesses(contender.model, contender.weights, contender.tokenizer, support, query, **others)


def costs(contender, support=SUPPORT, query=QUERY):
    live = adapt_live(contender.model, contender.weights, contender.tokenizer, support, query, contender.rule)
    return next(live).char_nats


def test_every_character_has_the_likeliest_first(gru, tokenizer):
    found = guessed(gru(tokenizer))
    assert len(found.places) == len(found.chances) == len(QUERY.decode())
    for chances in found.chances:
        assert 0 < len(chances) <= BEST
        assert list(chances) == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1 + 1e-9


@pytest.mark.parametrize("favourite", ["猫", "é", "a", "\N{GRINNING FACE}"])
def test_the_chance_of_a_guess_is_what_its_bytes_would_cost(gru, favourite):
    contender = gru()
    for byte in favourite.encode():  # a model that expects little else
        contender.weights["linear.bias"][byte] += 6.0
    best = guessed(contender, query=(favourite * 2).encode()).at(1)
    assert {len(text.encode()) for text, _ in best} & {len(favourite.encode())}
    for text, chance in best:
        nats = costs(contender, query=(favourite + text).encode())
        assert chance == pytest.approx(math.exp(-nats[1]), rel=1e-4)


def test_what_begins_a_character_is_completed(gru):
    contender = gru()
    for byte in "é".encode():
        contender.weights["linear.bias"][byte] += 20.0
    assert guessed(contender, query=b"aaa").at(1)[0][0] == "é"


def test_the_best_of_bytes_are_those_of_all_whole_ones(gru):
    contender = gru()
    contender.weights["linear.bias"][128:] -= 30.0  # ASCII alone
    found, query = guessed(contender, query=b"abcd"), b"abcd"
    for at in range(len(query)):
        chances = {}
        for byte in range(128):
            other = query[:at] + bytes([byte])
            chances[chr(byte)] = math.exp(-costs(contender, query=other)[at])
        best = sorted(chances, key=chances.get, reverse=True)[:BEST]
        assert [text for text, _ in found.at(at)] == best


def test_unknown_is_never_a_guess(gru):
    contender = gru(CharacterTokenizer("ab"))
    contender.weights["linear.bias"][contender.tokenizer.unknown_id] = 50.0
    assert {text for text, _ in guessed(contender, b"abab", b"ab").at(1)} == {"a", "b"}


def test_without_a_support_set_nothing_is_expected_at_first(gru):
    found = guessed(gru(), b"", b"abc")
    assert found.at(0) == []
    assert len(found.at(1)) == BEST


def test_an_empty_query_has_no_guesses(gru):
    assert guessed(gru(), query=b"").places == ()


def test_long_texts_are_guessed_in_blocks(gru):
    query = b"ab" * 300
    found = guessed(gru(), query=query)
    assert len(found.places) == len(query)
    assert found.at(299) != []


def test_plain_data_says_the_same(gru):
    found = guessed(gru(ByteTokenizer()))
    data = found.to_json()
    assert [data["texts"][place] for place in data["places"][2]] == [text for text, _ in found.at(2)]
    assert np.allclose(data["chances"][2], found.chances[2], atol=1e-5)


def test_guessing_can_be_stopped(gru):
    with pytest.raises(Stopped):
        guessed(gru(), should_stop=lambda: True)
