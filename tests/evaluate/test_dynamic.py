from dataclasses import replace

import numpy as np
import pytest
import torch

from metalm.errors import ConfigError
from metalm.evaluate import dynamic
from metalm.evaluate.baselines import joint_zero_shot
from metalm.evaluate.contenders import Case
from metalm.evaluate.dynamic import Dynamic, DynamicGru, dynamic_nats, tuned_dynamic
from metalm.evaluate.protocol import Protocol, evaluate
from metalm.learn.score import Stream
from metalm.learn.stopping import Stopped
from metalm.model.fast_weights import run, slow_weights
from metalm.model.reference import ReferenceEngine
from metalm.model.task_weights import shared
from metalm.text.tokenizers import ByteTokenizer

PROTOCOL = Protocol(split_id="s", support_bytes=(0, 1000), query_bytes=300)


def learning(contender, **settings):
    return DynamicGru(
        model=contender.model,
        weights=contender.weights,
        tokenizer=contender.tokenizer,
        settings=Dynamic(**settings),
    )


def test_a_rate_of_zero_gives_the_static_score(gru, tokenizer, texts):
    static = {row.key: row for row in evaluate(joint_zero_shot(gru(tokenizer)), texts, PROTOCOL)}
    rows = list(evaluate(learning(gru(tokenizer), lr=0.0, segment=7), texts, PROTOCOL))

    assert {row.track for row in rows} == {"online"}
    assert {row.key for row in rows} == set(static)
    for row in rows:
        assert row.nats == pytest.approx(static[row.key].nats, rel=1e-5)
        assert (row.tokens, row.bytes, row.chars) == (
            static[row.key].tokens,
            static[row.key].bytes,
            static[row.key].chars,
        )


def by_autograd(model, ids, settings):
    """Nats of every token but the first, segment after segment, with torch.optim's plain arithmetic."""
    weights = {name: weight.clone() for name, weight in slow_weights(model).items()}
    start, hidden, found = slow_weights(model), None, []
    for begin in range(0, len(ids) - 1, settings.segment):
        piece = ids[begin : begin + settings.segment + 1]
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        logits, hidden = run(model, leaves, piece[None, :-1], hidden)
        nats = torch.nn.functional.cross_entropy(logits[0], piece[1:], reduction="none")
        gradient = dict(zip(leaves, torch.autograd.grad(nats.mean(), leaves.values()), strict=True))
        length = torch.cat([part.flatten() for part in gradient.values()]).norm()
        factor = min(1.0, float(settings.clip / length))
        weights = {
            name: weight - settings.lr * factor * gradient[name] + settings.decay * (start[name] - weight)
            for name, weight in weights.items()
        }
        hidden = hidden.detach()
        found.append(nats.detach())
    return torch.cat(found).numpy()


@pytest.mark.parametrize("clip", [0.1, 100.0])
def test_nats_are_those_of_the_formula_by_autograd(gru, clip):
    model = gru().model.double()
    text = "Der Bär läuft über die Straße.".encode()
    settings = Dynamic(lr=0.5, decay=0.1, segment=6, clip=clip)
    stream = Stream.of(ByteTokenizer(), text[:10], text[10:])

    [nats] = dynamic_nats(ReferenceEngine(model), shared(slow_weights(model), 1), [stream], settings)

    expected = by_autograd(model, torch.from_numpy(stream.ids), settings)[9:]
    assert np.allclose(nats, expected, rtol=1e-10)


def test_streams_side_by_side_do_not_touch_each_other(gru):
    contender = learning(gru(), lr=0.3, segment=5)
    cases = [Case(b"abcabc", b"abcabcab" * n, (0,)) for n in (1, 4, 2)] + [Case(b"", b"z", (0,))]

    together = {judged.case: judged.score for judged in contender.judged(cases)}

    for number, case in enumerate(cases):
        [alone] = contender.judged([case])
        assert together[number].nats == pytest.approx(alone.score.nats, rel=1e-5)
        assert together[number].tokens == alone.score.tokens


def test_it_learns_while_it_codes(gru):
    repeated = [Case(b"", b"the same words again. " * 60, (0,))]
    [frozen], [learned] = (list(learning(gru(), lr=lr).judged(repeated)) for lr in (0.0, 0.4))

    assert learned.score.nats < 0.8 * frozen.score.nats


def test_tuning_takes_the_cheapest_on_validation_and_leaves_the_rest(gru, texts, monkeypatch):
    monkeypatch.setattr(dynamic, "LRS", (0.0, 0.2))
    monkeypatch.setattr(dynamic, "DECAYS", (0.0,))
    plain = learning(gru(), segment=16)

    tuned = tuned_dynamic(plain, texts)

    assert tuned.settings == replace(plain.settings, lr=0.2)
    assert tuned_dynamic(plain, []) is plain
    with pytest.raises(Stopped):
        tuned_dynamic(plain, texts, should_stop=lambda: True)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"dynamic.decay must be 1 or less, got 1.5"):
        Dynamic(decay=1.5)
