"""BPE learned in a process beside this one: the same tokens, and an end whenever it is asked for."""

import itertools

import psutil
import pytest

from metalm.text import bpe_process
from metalm.text.bpe import BpeTokenizer
from metalm.text.bpe_process import trained_beside

TEXTS = ["once upon a time\n" * 20, "", "\u3042\u3044\u3046\u3048\u304a" * 30]


def test_a_process_of_its_own_learns_the_same_tokens():
    assert trained_beside(TEXTS, 280).hash == BpeTokenizer.trained(TEXTS, 280).hash


@pytest.mark.parametrize("calls", [1, 3, 5])
def test_it_ends_when_the_waiting_one_wants_it_and_leaves_no_process(calls):
    count = itertools.count(1)

    def on_wait():
        if next(count) >= calls:
            raise InterruptedError

    endless = ("some words of a text without an end\n" * 1000 for _ in itertools.count())
    with pytest.raises(InterruptedError):
        trained_beside(endless, 280, on_wait=on_wait)
    assert not psutil.Process().children()


def test_a_process_that_dies_is_told(monkeypatch):
    from metalm.errors import CorpusError

    monkeypatch.setattr(bpe_process, "_LENGTH", bpe_process.struct.Struct("<h"))
    with pytest.raises(CorpusError, match="a bpe vocabulary of 280 tokens must be learned to its end"):
        trained_beside(["ab" * 10_000], 280)
