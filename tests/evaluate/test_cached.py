import json
import math
from dataclasses import replace

import pytest
import torch

from metalm.errors import ConfigError
from metalm.evaluate import cached
from metalm.evaluate.cached import CachedGru, as_tuned, tuned_cached
from metalm.evaluate.coder import Cache
from metalm.evaluate.compressors import added_nats, ppmd
from metalm.evaluate.contenders import Case
from metalm.evaluate.dynamic import Dynamic
from metalm.evaluate.protocol import Protocol, evaluate
from metalm.learn.stopping import Stopped
from metalm.model.fast_weights import slow_weights
from metalm.text.bpe import BpeTokenizer
from metalm.text.tokenizers import CharacterTokenizer

# Of each task in tuning: enough to tell rates apart.
SHORT = {"_SUPPORT_BYTES": 400, "_QUERY_BYTES": 300}
PROTOCOL = Protocol(split_id="s", support_bytes=(0, 1000), query_bytes=300)


def mixing(contender, **changes):
    own = CachedGru(
        model=contender.model,
        weights=contender.weights,
        tokenizer=contender.tokenizer,
        rule=contender.rule.with_inner(steps=0),
    )
    return replace(own, **changes)


def test_rows_are_of_the_online_track_under_the_method_that_they_are_of(gru, texts):
    for contender, method in (
        (mixing(gru()), "cache"),
        (mixing(gru(), dynamic=Dynamic(lr=0.2)), "dynamic evaluation + cache"),
    ):
        rows = list(evaluate(contender, texts, PROTOCOL))
        assert {(row.track, row.method) for row in rows} == {("online", method)}
        assert len(rows) == 2 * len(texts)
        assert all(0 < row.nats < 6 * row.bytes and row.tokens == row.bytes for row in rows)
        assert json.loads(json.dumps(rows[0].adaptation)) == rows[0].adaptation


@pytest.mark.parametrize("dynamic", [Dynamic(lr=0.0), Dynamic(lr=0.3, segment=5)])
def test_cases_side_by_side_do_not_touch_each_other(gru, dynamic, monkeypatch):
    contender = mixing(gru(), dynamic=dynamic)
    cases = [Case(b"abcabc", b"abcabcab" * n, (0,)) for n in (1, 4, 2)] + [Case(b"", b"z", (0,))]
    alone = [judged.score for case in cases for judged in contender.judged([case])]

    for tokens in (1 << 18, 40, 1):  # all at once, some, one by one
        monkeypatch.setattr(cached, "_TOKENS_AT_ONCE", tokens)
        together = [judged.score for judged in contender.judged(cases)]
        for ours, theirs in zip(together, alone, strict=True):
            assert ours.nats == pytest.approx(theirs.nats, rel=1e-5)
            assert (ours.tokens, ours.bytes, ours.chars) == (theirs.tokens, theirs.bytes, theirs.chars)


def test_the_same_again_gives_the_same_bits(gru):
    cases = [Case("Bär läuft".encode(), "Bär läuft über die Straße".encode(), (0,))]
    one, other = (list(mixing(gru(), dynamic=Dynamic(lr=0.3)).judged(cases)) for _ in range(2))
    assert one[0].score.nats == other[0].score.nats


def test_the_weights_of_its_rules_steps_are_those_it_codes_with(gru, make_text):
    own = gru(steps=4, lr=0.5)
    text = make_text("one", 2000).read(0, 2000)
    plain = Cache(order=-1, rate=0.0)
    case = Case(text[:1000], text[1000:1400], (0, 4))

    [mixed] = mixing(own, rule=own.rule, settings=plain).judged([case])
    adapted = {judged.step: judged.score.nats for judged in own.judged([case])}
    assert mixed.score.nats == pytest.approx(adapted[4], rel=1e-5)
    assert mixed.score.nats != pytest.approx(adapted[0], rel=1e-3)


def test_it_beats_a_good_compressor_though_its_gru_knows_nothing(gru, make_text):
    text = make_text("one").read(0, 6000)
    support, query = text[:3000], text[3000:]
    [judged] = mixing(gru()).judged([Case(support, query, (0,))])
    assert judged.score.nats < added_nats(ppmd, support, query)


def test_weights_that_diverged_give_no_number_and_no_warning(gru):
    model = gru().model
    with torch.no_grad():
        model.linear.bias.fill_(math.nan)
    [judged] = mixing(gru(), model=model, weights=slow_weights(model)).judged([Case(b"ab", b"abab", (0,))])
    assert not math.isfinite(judged.score.nats)


@pytest.mark.parametrize("other", [CharacterTokenizer("abc"), BpeTokenizer.trained(["abc abd"] * 9, 260)])
def test_other_tokens_than_bytes_are_refused(gru, other):
    message = f"tokenizer.kind must be bytes to mix with a cache of bytes, got '{other.kind}'"
    with pytest.raises(ConfigError, match=message):
        mixing(gru(other))


def test_tuning_takes_the_cheapest_on_validation_and_tells_what_was_tried(gru, texts, monkeypatch):
    for name, value in {**SHORT, "LRS": (0.1, 0.4), "RATES": (0.001, 0.002, 0.05)}.items():
        monkeypatch.setattr(cached, name, value)
    own = mixing(gru(), rule=gru().rule, dynamic=Dynamic(lr=0.3, segment=16))

    found = tuned_cached(own, texts)

    assert {(point["steps"], point["lr"]) for point in found.grid} == {
        (n, lr) for n in (0, 2) for lr in (0.1, 0.4)
    }
    assert len(found.grid) == 4 + 2
    best = min(found.grid, key=lambda point: point["bits_per_byte"])
    tuned = found.contender
    assert (tuned.rule.inner.steps, tuned.dynamic.lr, tuned.settings.rate) == (
        best["steps"],
        best["lr"],
        best["rate"],
    )
    assert ("lr" in found.edges, "rate" in found.edges) == (True, best["rate"] != 0.002)
    assert tuned.dynamic.segment == 16
    again = as_tuned(own, json.loads(json.dumps(found.to_json())))
    assert (again.adaptation, again.method) == (tuned.adaptation, "dynamic evaluation + cache")


def test_tuning_of_weights_that_stay_leaves_them_so(gru, texts, monkeypatch):
    for name, value in SHORT.items():
        monkeypatch.setattr(cached, name, value)
    own = mixing(gru())
    found = tuned_cached(own, texts)
    assert found.contender.method == "cache"
    assert {(point["steps"], point["lr"]) for point in found.grid} == {(0, 0.0)}
    assert "lr" not in found.edges
    assert tuned_cached(own, []).contender is own
    with pytest.raises(Stopped):
        tuned_cached(own, texts, should_stop=lambda: True)
