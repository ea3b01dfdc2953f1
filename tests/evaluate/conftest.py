"""Tiny real things: made-up texts in files, a network of 5 hidden units, an inner loop of an instant."""

import hashlib
import random

import pytest

from metalm.config import InnerLoop, ModelConfig
from metalm.evaluate.contenders import AdaptingGru
from metalm.learn.rules import Rule
from metalm.model.fast_weights import slow_weights
from metalm.model.gru import new_model
from metalm.text.bpe import BpeTokenizer
from metalm.text.tasks import Task, TaskText
from metalm.text.tokenizers import ByteTokenizer, CharacterTokenizer

WORDS = ["der", "Bär", "läuft", "über", "die", "Straße", "trinkt", "süßen", "Tee,", "猫も", "見ている\n"]


@pytest.fixture
def make_text(tmp_path):
    """A task of about `size` bytes in letters of one to three bytes; the same name gives the same text."""

    def make(name, size=6000):
        words = " ".join(random.Random(name).choices(WORDS, k=size))
        data = words.encode()[:size].decode(errors="ignore").encode()
        path = tmp_path / f"{name}.txt"
        path.write_bytes(data)
        key = hashlib.sha256(data).hexdigest()[:16]
        return TaskText(Task(id=key, name=name, corpus_id=key, begin=0, end=len(data), relatives=name), path)

    return make


@pytest.fixture
def texts(make_text):
    return [make_text("one"), make_text("two", 3000)]


def tokenizer_of(kind):
    """A tokenizer to which some of the words hold unknown characters (characters) or long tokens (bpe)."""
    if kind == "characters":
        return CharacterTokenizer("".join(WORDS[:-2]) + " ")
    return ByteTokenizer() if kind == "bytes" else BpeTokenizer.trained([" ".join(WORDS)] * 9, 300)


@pytest.fixture(params=["bytes", "characters", "bpe"])
def tokenizer(request):
    """Each kind in turn."""
    return tokenizer_of(request.param)


@pytest.fixture
def gru():
    """A function: a contender of 5 hidden units with any tokenizer; settings are those of its inner loop."""

    def make(tokenizer=None, **inner):
        tokenizer = tokenizer or ByteTokenizer()
        model = new_model(ModelConfig(embedding=3, hidden=5), tokenizer.vocab_size, seed=1)
        settings = InnerLoop(**{"steps": 2, "lr": 0.5, "batch": 2, "window": 8, **inner})
        weights, rule = slow_weights(model), Rule(settings)
        return AdaptingGru(model=model, weights=weights, tokenizer=tokenizer, rule=rule)

    return make
