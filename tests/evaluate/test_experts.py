import math
from dataclasses import replace

import numpy as np
import pytest

from metalm.errors import ConfigError
from metalm.evaluate import experts as experts_module
from metalm.evaluate.baselines import joint_zero_shot
from metalm.evaluate.contenders import Case
from metalm.evaluate.experts import ExpertMixture, Mixing, tuned_posterior_pool
from metalm.evaluate.protocol import Protocol, evaluate
from metalm.learn.posterior import Posterior, experts_of
from metalm.learn.score import token_nats
from metalm.learn.stopping import Stopped
from metalm.learn.windows import TaskTokens
from metalm.model.engines import engine_for

METHODS = ("pool", "posterior pool", "bayes")
LANGUAGES = {
    "de": "Der Bär läuft über die Straße und trinkt süßen Tee. ",
    "el": "Η αρκούδα περπατά στον δρόμο. ",
    "ja": "猫も犬も雨を見ている。",
}
SUPPORT, QUERY = "Die Tür über".encode(), "ä und 猫, Straße".encode()
PLAIN = Mixing(samples=0)
PROTOCOL = Protocol(split_id="s", support_bytes=(0, 1000), query_bytes=300)


@pytest.fixture
def mixture(gru):
    """A function: experts of some languages as a contender; settings are those of `Posterior`."""

    def make(method, languages=tuple(LANGUAGES), *, tokenizer=None, mixing=PLAIN, **settings):
        base = gru(tokenizer)
        tasks = []
        for language in languages:
            ids = base.tokenizer.encode((LANGUAGES[language] * 20).encode()).ids
            tasks.append(TaskTokens(f"{language}-id", language, 1, ids))
        given = {"steps": 30, "lr": 1.0, "batch": 2, "window": 8, "precision": 10.0, "fisher_windows": 8}
        experts = experts_of(base.model, base.weights, tasks, Posterior(**{**given, **settings}))
        return ExpertMixture(
            method=method,
            model=base.model,
            experts=experts,
            tokenizer=base.tokenizer,
            split_id="s",
            settings=mixing,
            seed=5,
        )

    return make


def nats_of(contender, weights, support, query):
    return token_nats(engine_for(contender.model), weights, contender.tokenizer, support, query)


def whole(contender, weights):
    """Nats of the whole support set and of the query's tokens under one component."""
    support = nats_of(contender, weights, b"", SUPPORT).sum()
    return support, nats_of(contender, weights, SUPPORT, QUERY)


def components(contender):
    """(nats of the support set of each component, nats_CN of the query)."""
    pairs = [whole(contender, w) for w in contender.experts.components(contender.settings.samples)]
    return np.array([s for s, _ in pairs]), np.stack([q for _, q in pairs])


@pytest.mark.parametrize("samples", [0, 2])
def test_the_pool_is_the_mean_of_the_experts_probabilities(mixture, samples):
    contender = mixture("pool", mixing=Mixing(samples=samples))
    _, nats_CN = components(contender)

    view = contender.view(SUPPORT, QUERY)

    assert np.exp(-view.nats_N) == pytest.approx(np.exp(-nats_CN).mean(axis=0), rel=1e-5)
    assert view.weights_TN == pytest.approx(np.full((3, len(QUERY)), 1 / 3))


@pytest.mark.parametrize("method", METHODS)
def test_a_mixture_of_one_expert_is_that_expert(mixture, method, tokenizer):
    contender = mixture(method, ["de"], tokenizer=tokenizer)
    text = "Die Tür ist süß".encode(), "über die Straße猫".encode()
    expected = nats_of(contender, contender.experts.component(0), *text)

    [judged] = contender.judged([Case(*text, (0,))])

    extra = tokenizer.encode(text[1]).extra_nats
    extra = 0.0 if extra is None else extra.sum()
    assert judged.score.nats == pytest.approx(expected.sum() + extra, rel=1e-6)
    assert (judged.score.tokens, judged.score.bytes, judged.score.chars) == (len(expected), 20, 16)
    assert (judged.case, judged.step) == (0, 0)


@pytest.mark.parametrize("samples", [0, 3])
def test_bayes_telescopes_to_the_mean_of_the_sequence_probabilities(mixture, samples):
    contender = mixture("bayes", mixing=Mixing(samples=samples))
    support_C, nats_CN = components(contender)

    total = contender.view(SUPPORT, QUERY).nats_N.sum()

    both = np.exp(-(support_C + nats_CN.sum(axis=1))).mean()
    assert total == pytest.approx(-math.log(both / np.exp(-support_C).mean()), rel=1e-5)
    all_of_it = contender.view(b"", SUPPORT + QUERY).nats_N.sum()
    assert all_of_it == pytest.approx(-math.log(both), rel=1e-5)


@pytest.mark.parametrize("per_token", [False, True])
def test_the_posterior_pool_weighs_tasks_by_the_tempered_marginal_of_the_support_set(mixture, per_token):
    temperature = 0.2 if per_token else 6.0
    mixing = Mixing(samples=2, temperature=temperature, per_token=per_token)
    contender = mixture("posterior pool", mixing=mixing)
    support_C, nats_CN = components(contender)

    view = contender.view(SUPPORT, QUERY)

    marginal_T = np.exp(-support_C).reshape(3, 2).mean(axis=1)
    power = 1 / (temperature * (len(SUPPORT) if per_token else 1))
    weights_T = marginal_T**power / (marginal_T**power).sum()
    expected = (weights_T[:, None] * np.exp(-nats_CN).reshape(3, 2, -1).mean(axis=1)).sum(axis=0)
    assert view.after_support_T == pytest.approx(weights_T, rel=1e-4)
    assert np.exp(-view.nats_N) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("samples", [0, 2])
def test_an_endless_precision_gives_the_zero_shot_score(gru, mixture, texts, tokenizer, method, samples):
    contender = mixture(method, tokenizer=tokenizer, mixing=Mixing(samples=samples), precision=1e12)
    static = {row.key: row for row in evaluate(joint_zero_shot(gru(tokenizer)), texts, PROTOCOL)}

    rows = list(evaluate(contender, texts, PROTOCOL))

    assert {row.key for row in rows} == set(static)
    assert {row.track for row in rows} == {"online" if method == "bayes" else "static"}
    for row in rows:
        same = static[row.key]
        assert row.nats == pytest.approx(same.nats, rel=1e-5)
        assert (row.tokens, row.bytes, row.chars) == (same.tokens, same.bytes, same.chars)


def test_without_a_support_set_the_posterior_pool_is_the_pool(mixture):
    pool, posterior_pool = (mixture(m).view(b"", QUERY) for m in ("pool", "posterior pool"))
    assert posterior_pool.nats_N == pytest.approx(pool.nats_N)
    assert posterior_pool.nats_N[0] == pytest.approx(math.log(256))


def test_bayes_knows_nothing_of_what_comes_later(mixture):
    contender = mixture("bayes", mixing=Mixing(samples=2))
    one, other = (contender.view(SUPPORT, QUERY[:9] + tail) for tail in (b"abcdef", "δρόμο".encode()))

    assert one.nats_N[:9] == pytest.approx(other.nats_N[:9], rel=1e-6)
    assert one.weights_TN[:, :10] == pytest.approx(other.weights_TN[:, :10], rel=1e-5)
    assert one.nats_N[9] != pytest.approx(other.nats_N[9], rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_texts_side_by_side_do_not_touch_each_other(mixture, method):
    contender = mixture(method)
    cases = [Case(SUPPORT * n, QUERY * m, (0,)) for n, m in ((1, 3), (0, 1), (4, 1))] + [
        Case(b"", b"z", (0,))
    ]

    together = {judged.case: judged.score for judged in contender.judged(cases)}

    assert sorted(together) == [0, 1, 2, 3]
    for number, case in enumerate(cases):
        [alone] = contender.judged([case])
        assert together[number].nats == pytest.approx(alone.score.nats, rel=1e-5)
        assert together[number].tokens == alone.score.tokens


@pytest.mark.parametrize("method", ["posterior pool", "bayes"])
def test_the_weights_say_which_language_a_text_looks_like(mixture, method):
    mixing = Mixing(samples=0, temperature=5.0, per_token=False)
    contender = mixture(method, steps=60, precision=0.01, mixing=mixing)
    german, greek = "die Straße und der Bär".encode(), "στον δρόμο η αρκούδα".encode()

    view = contender.view(german, greek)

    assert contender.experts.names[int(view.after_support_T.argmax())] == "de"
    assert view.after_support_T.sum() == pytest.approx(1.0)
    assert view.weights_TN.shape == (3, len(greek))
    assert view.weights_TN[:, 0] == pytest.approx(view.after_support_T)
    last = contender.experts.names[int(view.weights_TN[:, -1].argmax())]
    assert last == ("el" if method == "bayes" else "de")


def test_only_what_was_asked_for_is_judged_and_a_stop_is_honoured(mixture):
    contender = mixture("pool")
    cases = [Case(SUPPORT, QUERY, (0,)), Case(SUPPORT, QUERY, ())]
    assert [judged.case for judged in contender.judged(cases)] == [0]
    assert list(contender.judged([])) == []
    with pytest.raises(Stopped):
        list(contender.judged(cases, lambda: True))


def test_its_settings_are_recorded_where_they_count(mixture):
    recorded = {method: mixture(method, mixing=Mixing(samples=1)).adaptation for method in METHODS}
    assert recorded["posterior pool"]["temperature"] == Mixing().temperature
    assert recorded["pool"] == recorded["bayes"]
    assert "temperature" not in recorded["pool"]
    assert recorded["pool"]["posterior"]["precision"] == 10.0
    assert (recorded["pool"]["samples"], recorded["pool"]["experts"], recorded["pool"]["split"]) == (
        1,
        3,
        "s",
    )


def test_tuning_takes_the_cheapest_temperature_and_keeps_what_was_tried(mixture, texts, monkeypatch):
    monkeypatch.setattr(experts_module, "TEMPERATURES", (1.0, 50.0))
    monkeypatch.setattr(experts_module, "PER_TOKEN", (0.1, 0.5, 2.0))
    contender = mixture("posterior pool", mixing=Mixing(samples=2))

    tuned = tuned_posterior_pool(contender, texts)

    tried = {(point.temperature, point.per_token): point.bits_per_byte for point in tuned.grid}
    assert list(tried) == [(1.0, False), (50.0, False), (0.1, True), (0.5, True), (2.0, True)]
    best = tuned.settings.temperature, tuned.settings.per_token
    assert tried[best] == min(tried.values())
    assert tuned.is_edge == (best != (0.5, True))
    assert tuned.settings.samples == 2
    assert len(set(tried.values())) > 1
    assert tuned_posterior_pool(contender, []).settings == contender.settings
    with pytest.raises(Stopped):
        tuned_posterior_pool(contender, texts, should_stop=lambda: True)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"mixing.temperature must be 1e-06 or more, got 0"):
        replace(Mixing(), temperature=0)
