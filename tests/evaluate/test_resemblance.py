"""What a text looks like: weights that add up, follow the text, and agree with those of the whole text."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalm.evaluate.experts import ExpertMixture, Mixing
from metalm.evaluate.resemblance import MIXING, by_character, resemblance, weights_along
from metalm.learn.posterior import Posterior, experts_of
from metalm.learn.score import score
from metalm.learn.stopping import Stopped
from metalm.learn.windows import TaskTokens
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights
from metalm.text.tokenizers import ByteTokenizer

LANGUAGES = {
    "de": "Der Bär läuft über die Straße und trinkt süßen Tee. ",
    "el": "Η αρκούδα περπατά στον δρόμο. ",
    "ja": "猫も犬も雨を見ている。",
}
GERMAN, GREEK = "die Straße und der Bär über der Straße. ".encode(), "στον δρόμο η αρκούδα περπατά".encode()
SAMPLED = Mixing(samples=2, temperature=4.0, per_token=False)


@pytest.fixture
def mixture(gru):
    """A function: experts of some languages as a posterior pool."""

    def make(languages=tuple(LANGUAGES), *, tokenizer=None, mixing=MIXING):
        base = gru(tokenizer)
        tasks = []
        for language in languages:
            ids = base.tokenizer.encode((LANGUAGES[language] * 20).encode()).ids
            tasks.append(TaskTokens(f"{language}-id", language, 1, ids))
        settings = Posterior(steps=60, lr=1.0, batch=2, window=8, precision=0.01, fisher_windows=8)
        return ExpertMixture(
            method="posterior pool",
            model=base.model,
            experts=experts_of(base.model, base.weights, tasks, settings),
            tokenizer=base.tokenizer,
            split_id="s",
            settings=mixing,
        )

    return make


@pytest.mark.parametrize("mixing", [MIXING, SAMPLED])
@pytest.mark.parametrize("window", [1, 16, 10_000])
def test_the_weights_of_each_place_are_a_distribution(mixture, tokenizer, mixing, window):
    contender = mixture(tokenizer=tokenizer, mixing=mixing)

    looks = resemblance(contender, GERMAN, GREEK + "猫".encode(), window=window)

    chars = len((GERMAN + GREEK).decode()) + 1
    assert looks.weights_TC.shape == (3, chars)
    assert (looks.weights_TC >= 0).all()
    assert looks.weights_TC.sum(axis=0) == pytest.approx(np.ones(chars))
    assert looks.after_support_T.sum() == pytest.approx(1.0)
    assert looks.support_nats_T.shape == (3,)
    assert (looks.support_chars, looks.support_bytes) == (len(GERMAN.decode()), len(GERMAN))
    assert (looks.names, looks.task_ids) == (("de", "el", "ja"), ("de-id", "el-id", "ja-id"))


def test_a_single_expert_is_believed_everywhere(mixture, tokenizer):
    looks = resemblance(mixture(["el"], tokenizer=tokenizer), GERMAN, GREEK)
    assert looks.after_support_T == pytest.approx([1.0])
    assert looks.weights_TC == pytest.approx(np.ones_like(looks.weights_TC))


@pytest.mark.parametrize("mixing", [MIXING, SAMPLED])
def test_a_window_of_the_whole_text_gives_the_weights_of_the_whole_text(mixture, mixing):
    contender = mixture(mixing=mixing)
    [text] = contender.read([(GERMAN, GREEK)])

    weights_TX = weights_along(contender, text, 2 * text.nats_CX.shape[1])

    whole_T = contender.view(GERMAN + GREEK, b"").after_support_T
    assert weights_TX == pytest.approx(np.broadcast_to(whole_T[:, None], weights_TX.shape), rel=1e-4)


def test_a_window_of_one_token_weighs_by_that_token_alone(mixture):
    contender = mixture(mixing=replace(MIXING, temperature=1.0))
    [text] = contender.read([(GERMAN, GREEK)])

    weights_TX = weights_along(contender, text, 1)

    likelihood_TX = np.exp(-text.nats_CX)
    assert weights_TX == pytest.approx(likelihood_TX / likelihood_TX.sum(axis=0), rel=1e-6)
    with pytest.raises(ValueError, match="window must be 1 or more, got 0"):
        weights_along(contender, text, 0)


def test_a_text_that_changes_its_language_looks_like_both_each_in_its_place(mixture):
    looks = resemblance(mixture(), GERMAN * 2, GREEK * 2, window=24)
    best = [looks.names[row] for row in looks.weights_TC.argmax(axis=0)]
    cut = looks.support_chars
    assert set(best[: cut - 12]) == {"de"}
    assert set(best[cut + 12 :]) == {"el"}
    assert looks.names[int(looks.after_support_T.argmax())] == "de"


def test_the_support_set_costs_what_scoring_it_with_each_expert_costs(mixture, tokenizer):
    contender = mixture(tokenizer=tokenizer)
    support = GERMAN + "猫".encode()
    looks = resemblance(contender, support, GREEK)
    engine = engine_for(contender.model)
    every = [*contender.experts.components(0), slow_weights(contender.model)]
    by_hand = [score(engine, weights, contender.tokenizer, b"", support).nats for weights in every]
    assert [*looks.support_nats_T, looks.slow_nats] == pytest.approx(by_hand, rel=1e-5)
    assert looks.support_nats_T.min() < looks.slow_nats


def test_without_a_support_set_no_task_is_believed_more_than_another(mixture):
    looks = resemblance(mixture(), b"", GREEK)
    assert looks.after_support_T == pytest.approx(np.full(3, 1 / 3))
    assert looks.support_chars == 0
    assert looks.weights_TC.shape == (3, len(GREEK.decode()))
    assert resemblance(mixture(), GERMAN, b"").weights_TC.shape == (3, len(GERMAN.decode()))


def test_a_stop_is_honoured(mixture):
    with pytest.raises(Stopped):
        resemblance(mixture(), GERMAN, GREEK, should_stop=lambda: True)


@given(st.text(min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_characters_have_the_mean_weights_of_their_bytes(text, seed):
    data = text.encode(errors="replace")
    encoded = ByteTokenizer().encode(data)
    weights_TX = np.random.default_rng(seed).dirichlet(np.ones(3), len(encoded.ids)).T

    weights_TC = by_character(weights_TX, encoded, data)

    ends = np.cumsum([len(char.encode()) for char in data.decode()])
    expected = [
        weights_TX[:, begin:end].mean(axis=1) for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    assert weights_TC == pytest.approx(np.stack(expected, axis=1))
