"""Tiny real things: texts of a few kB in files, a network of 5 hidden units, runs of an instant."""

import hashlib
import random
from dataclasses import replace

import pytest
import torch

from metalm.config import (
    AdamW,
    Anil,
    Budget,
    Cavia,
    Drawing,
    Fomaml,
    Imaml,
    InnerLoop,
    Joint,
    Maml,
    MamlPlusPlus,
    MetaSgd,
    ModelConfig,
    Reptile,
    RunConfig,
    Sequential,
    Validation,
)
from metalm.learn.outer import Training
from metalm.model.gru import new_model
from metalm.text.tasks import Task, TaskText
from metalm.text.tokenizers import ByteTokenizer

INNER = InnerLoop(steps=2, lr=0.3, batch=2, window=8)
OPTIMIZER = AdamW(lr=0.01, warmup=2)
SETTINGS = {
    "sequential": Sequential(batches=3, batch=2, window=8),
    "joint": Joint(batch=2, window=8, optimizer=OPTIMIZER),
    "fomaml": Fomaml(inner=INNER, optimizer=OPTIMIZER),
    "reptile": Reptile(inner=INNER),
    "maml": Maml(inner=INNER, optimizer=OPTIMIZER),
    "anil": Anil(inner=replace(INNER, adapts="head+embedding"), optimizer=OPTIMIZER),
    "meta-sgd": MetaSgd(inner=INNER, optimizer=OPTIMIZER),
    "maml++": MamlPlusPlus(inner=INNER, msl=0.5, first_order_share=0.3, optimizer=OPTIMIZER),
    "cavia": Cavia(context=4, inner=replace(INNER, adapts="context", lr=1.0), optimizer=OPTIMIZER),
    "imaml": Imaml(
        inner=replace(INNER, proximal=0.5, fisher=True), cg_steps=2, joint_weight=0.1, optimizer=OPTIMIZER
    ),
}


@pytest.fixture
def inner():
    return INNER


@pytest.fixture
def tokenizer():
    return ByteTokenizer()


@pytest.fixture
def model():
    return new_model(ModelConfig(embedding=3, hidden=5), 256, seed=1)


@pytest.fixture
def make_text(tmp_path):
    """A task of `size` bytes of made-up words; the same name gives the same text."""

    def make(name, size=3000):
        rng = random.Random(name)
        letters = rng.sample("abcdefghijklmnop", 6) + ["é"]
        words = ["".join(rng.choices(letters, k=rng.randint(2, 6))) for _ in range(40)]
        data = " ".join(rng.choices(words, k=size)).encode()[:size]
        data = data.decode(errors="ignore").encode().ljust(size)
        path = tmp_path / f"{name}.txt"
        path.write_bytes(data)
        key = hashlib.sha256(data).hexdigest()[:16]
        task = Task(id=key, name=name, corpus_id=key, begin=0, end=size, relatives=name)
        return TaskText(task, path)

    return make


@pytest.fixture
def train(make_text):
    return [make_text("one"), make_text("two", 4000), make_text("three")]


@pytest.fixture
def validation(make_text):
    return [make_text("four"), make_text("five")]


@pytest.fixture
def config():
    """A config of the named algorithm that is trained in an instant, with every setting open."""

    def build(algorithm="fomaml", *, steps=6, dropout=0.0, layers=1, every=3, **settings):
        return RunConfig(
            algorithm=SETTINGS[algorithm],
            model=ModelConfig(embedding=3, hidden=5, layers=layers, dropout=dropout),
            drawing=Drawing(meta_batch=2),
            budget=Budget(unit="steps", amount=steps),
            validation=Validation(every=every, support_bytes=200, query_bytes=100, steps=2, lr=0.3),
            seed=3,
        ).with_settings(settings)

    return build


@pytest.fixture
def start(train, validation, tokenizer, tmp_path):
    """A run of a config from its first step."""

    def begin(config, initial_weights=None, initial_learned=None):
        return Training.start(
            config,
            train,
            validation,
            tokenizer,
            tmp_path / "tokens",
            torch.device("cpu"),
            initial_weights,
            initial_learned=initial_learned,
        )

    return begin


@pytest.fixture
def resume(train, validation, tokenizer, tmp_path):
    """A run from its checkpoint."""

    def go_on(folder):
        cpu = torch.device("cpu")
        return Training.resume(folder, train, validation, tokenizer, tmp_path / "tokens", cpu)

    return go_on
