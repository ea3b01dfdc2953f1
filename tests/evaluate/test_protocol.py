import math

import pytest
import torch

from metalm.errors import ConfigError
from metalm.evaluate.baselines import UNIFORM, UNIGRAM
from metalm.evaluate.contenders import recorded_steps
from metalm.evaluate.protocol import Protocol, Skipped, episodes, evaluate, num_rows
from metalm.learn.score import score
from metalm.model.engines import engine_for
from metalm.model.fast_weights import slow_weights

PROTOCOL = Protocol(split_id="s", support_bytes=(0, 100, 1000))


def without_times(rows):
    return [(row.key, row.nats, row.tokens, row.bytes, row.chars) for row in rows]


def assert_same(rows, others):
    """The same rows, in any order; what they were computed beside may move a last digit."""
    rows, others = ({row.key: row for row in each} for each in (rows, others))
    assert rows.keys() == others.keys()
    for key, row in rows.items():
        assert row.nats == pytest.approx(others[key].nats, rel=1e-6)


def test_a_row_is_made_for_every_task_size_and_step(gru, texts):
    rows = list(evaluate(gru(), texts, PROTOCOL))

    keys = {(t.task.id, n, 0, k) for t in texts for n in (0, 100, 1000) for k in (range(3) if n else [0])}
    assert {row.key for row in rows} == keys
    assert len(rows) == len(keys)
    assert {(row.role, row.track, row.method, row.seen) for row in rows} == {
        ("meta-validation", "static", "adapt", False)
    }


def test_zero_step_rows_equal_the_score_of_the_slow_weights(gru, texts, tokenizer):
    contender = gru(tokenizer)
    rows = {row.key: row for row in evaluate(contender, texts, PROTOCOL)}
    for episode in episodes(texts, PROTOCOL)[0]:
        support, query = (episode.text.read(*piece) for piece in (episode.support, episode.query))
        weights = slow_weights(contender.model)
        expected = score(engine_for(contender.model), weights, tokenizer, support, query)
        row = rows[episode.text.task.id, episode.support_bytes, episode.draw, 0]
        assert row.nats == pytest.approx(expected.nats, rel=1e-6)


def test_tasks_side_by_side_give_the_rows_of_each_alone(gru, make_text, tokenizer):
    # More than one block of tasks, ragged in support and query.
    texts = [make_text(f"text {size}", size) for size in range(1100, 7100, 600)]
    contender, protocol = gru(tokenizer), Protocol(split_id="s", support_bytes=(0, 100, 700), draws=2)

    together = {row.key: row for row in evaluate(contender, texts, protocol)}
    alone = {row.key: row for text in texts for row in evaluate(contender, [text], protocol)}

    assert_same(together.values(), alone.values())
    for key, row in together.items():
        assert (row.tokens, row.bytes, row.chars) == (alone[key].tokens, alone[key].bytes, alone[key].chars)


def test_every_query_byte_is_charged_once_whatever_reads_it(gru, texts, tokenizer):
    for contender in (gru(tokenizer), UNIFORM, UNIGRAM):
        for row in evaluate(contender, texts, PROTOCOL):
            text = next(t for t in texts if t.task.id == row.task_id)
            query = text.read(*text.query())
            assert (row.bytes, row.chars) == (len(query), len(query.decode()))
            if contender is not UNIFORM and contender is not UNIGRAM:
                assert row.tokens == len(tokenizer.encode(query).ids)


def test_support_and_query_share_no_byte(make_text):
    protocol = Protocol(split_id="s", support_bytes=(0, 512, 2048, 10240), draws=3)
    found, _ = episodes([make_text(str(size), size) for size in (1024, 5000, 60_000)], protocol)

    assert {episode.draw for episode in found} == {0, 1, 2}
    for episode in found:
        assert episode.support[0] <= episode.support[1] < episode.query[0] < episode.query[1]


def test_no_support_is_met_once_whatever_the_draws(make_text):
    found, _ = episodes([make_text("long", 60_000)], Protocol(split_id="s", support_bytes=(0, 512), draws=3))

    assert [(episode.support_bytes, episode.draw) for episode in found] == [
        (0, 0),
        (512, 0),
        (512, 1),
        (512, 2),
    ]


def test_what_a_text_is_too_short_for_is_skipped_and_told(gru, texts):
    protocol = Protocol(split_id="s", support_bytes=(512, 4000))
    found, skipped = episodes(texts, protocol)

    assert skipped == [Skipped(texts[1].task.id, 4000, 0)]
    made = {(row.task_id, row.support_bytes) for row in evaluate(gru(), texts, protocol)}
    assert made == {(episode.text.task.id, episode.support_bytes) for episode in found}


def test_the_same_seed_gives_the_same_rows(gru, texts):
    once, again = (without_times(evaluate(gru(), texts, PROTOCOL)) for _ in range(2))

    assert once == again


def test_rows_after_a_step_equal_plain_torch(gru, texts):
    contender = gru(steps=1, clip=0.0)
    protocol = Protocol(split_id="s", support_bytes=(100,), query_bytes=64)
    row = list(evaluate(contender, texts[:1], protocol))[-1]

    # Independently: one SGD step by torch's own optimiser on the first two windows, then byte by byte.
    begin, end = texts[0].support(100)
    support, query = list(texts[0].read(begin, end)), list(texts[0].read(*texts[0].query(64)))
    model = contender.model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    logits, _ = model(torch.tensor([support[0:8], support[8:16]]).T)
    targets = torch.tensor([support[1:9], support[9:17]]).T
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    optimizer.step()
    with torch.no_grad():
        logits, _ = model(torch.tensor([[*support, *query]]).T)
    nats = -torch.log_softmax(logits[len(support) - 1 : -1, 0], dim=-1)
    expected = sum(float(nats[i, byte]) for i, byte in enumerate(query))
    assert (row.adaptation_step, row.bytes) == (1, len(query))
    assert row.nats == pytest.approx(expected, rel=1e-5)


def test_rows_that_are_there_already_are_not_made_again(gru, texts):
    everything = list(evaluate(gru(), texts, PROTOCOL))
    done = {row.key for row in everything[:5]} | {everything[-2].key}

    rest = list(evaluate(gru(), texts, PROTOCOL, done=done))

    assert_same(rest, [row for row in everything if row.key not in done])
    assert not list(evaluate(gru(), texts, PROTOCOL, done={row.key for row in everything}))


def test_a_stop_ends_it_quietly_and_the_rest_completes_it(gru, texts):
    rows, everything = [], list(evaluate(gru(), texts, PROTOCOL))
    for row in evaluate(gru(), texts, PROTOCOL, should_stop=lambda: len(rows) >= 4):
        rows.append(row)

    assert 4 <= len(rows) < len(everything)
    rows += evaluate(gru(), texts, PROTOCOL, done={row.key for row in rows})
    assert_same(rows, everything)


def test_the_number_of_rows_is_known_before(gru, texts):
    for contender in (gru(), UNIFORM):
        assert num_rows(contender, texts, PROTOCOL) == len(list(evaluate(contender, texts, PROTOCOL)))


def test_seen_tasks_are_marked(gru, texts):
    rows = list(evaluate(gru(), texts, PROTOCOL, seen={texts[0].task.id}))

    assert {row.task_id for row in rows if row.seen} == {texts[0].task.id}
    assert {row.task_id for row in rows if not row.seen} == {texts[1].task.id}


def test_weights_that_diverge_cost_infinitely_much(gru, texts):
    contender = gru()
    contender.weights["linear.bias"][0] = math.nan

    assert {row.nats for row in evaluate(contender, texts[:1], PROTOCOL)} == {math.inf}


@pytest.mark.parametrize(
    ("steps", "recorded"),
    [
        (0, (0,)),
        (1, (0, 1)),
        (5, (0, 1, 2, 3, 4, 5)),
        (6, (0, 1, 2, 3, 5, 6)),
        (8, (0, 1, 2, 3, 5, 8)),
        (10, (0, 1, 2, 3, 5, 8, 10)),
        (100, (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 100)),
    ],
)
def test_few_steps_are_all_recorded_and_of_many_ever_fewer(steps, recorded):
    assert recorded_steps(steps) == recorded


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"support_bytes": (-1,)},
            r"evaluation.support_bytes must be different sizes of 0 or more, got \[-1\]",
        ),
        ({"support_bytes": ()}, r"evaluation.support_bytes must be .*, got \[\]"),
        ({"support_bytes": (5, 5)}, r"evaluation.support_bytes must be .*, got \[5, 5\]"),
        ({"draws": 0}, "evaluation.draws must be 1 or more, got 0"),
        ({"query_bytes": 3}, "evaluation.query_bytes must be 64 or more, got 3"),
        ({"role": "meta"}, "evaluation.role must be one of meta-train, .*, got 'meta'"),
    ],
)
def test_a_protocol_out_of_range_is_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        Protocol(split_id="s", **setting)
