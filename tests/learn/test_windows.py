import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metalm.config import Fomaml, InnerLoop, Joint, Reptile, Sequential
from metalm.errors import SplitError
from metalm.learn.windows import TaskTokens, check_length, draw_batch, draw_episode, draw_streams


def counting(num_tokens):
    """A task whose every token tells its place."""
    return TaskTokens("id", "counting", num_tokens, np.arange(num_tokens))


def places(windows_BT):
    return windows_BT.ravel().tolist()


@given(
    window=st.integers(1, 9),
    steps=st.integers(0, 4),
    batch=st.integers(1, 4),
    extra=st.integers(0, 200),
    seed=st.integers(0, 99),
)
def test_support_and_query_windows_of_an_episode_share_no_token(window, steps, batch, extra, seed):
    task = counting(2 * (window + 1) + extra)
    config = Fomaml(inner=InnerLoop(steps=steps, batch=batch, window=window))
    check_length(task, config)

    episode = draw_episode(task, config, np.random.default_rng(seed))

    support, query = episode.support.windows_NT, episode.query_BT
    together = places(support) + places(query)
    assert len(set(together)) == len(together)
    assert 1 <= len(query) <= batch
    assert len(support) >= 1 or steps == 0
    assert support.shape[1] == query.shape[1] == window + 1
    assert torch.equal(query[:, 1:], query[:, :-1] + 1)


def test_an_episode_has_fresh_support_windows_for_every_step_when_the_text_allows_it():
    for steps in range(4):
        config = Reptile(inner=InnerLoop(steps=steps, batch=4, window=5))
        episode = draw_episode(counting(1000), config, np.random.default_rng(0))
        assert episode.support.windows_NT.shape == (4 * steps, 6)
        assert episode.query_BT.shape == (4, 6)


def test_windows_come_from_everywhere_alike():
    # 60 tokens, windows of 6: each token is in about as many windows as any other that is not near an end.
    config, rng = Joint(batch=2, window=5), np.random.default_rng(0)
    counts = np.zeros(60)
    for _ in range(4000):
        for window in draw_batch(counting(60), config, rng).windows_BT:
            counts[window.numpy()] += 1

    assert counts[6:-6].max() / counts[6:-6].min() < 1.3
    assert counts.min() > 0


def test_streams_go_on_where_the_batch_before_ended():
    streams = draw_streams(counting(500), Sequential(batches=4, batch=3, window=7), np.random.default_rng(0))

    batches = streams.batches()

    assert [tuple(batch.shape) for batch in batches] == [(3, 8)] * 4
    for before, after in zip(batches, batches[1:], strict=False):
        assert torch.equal(before[:, -1], after[:, 0])


def test_streams_of_a_short_text_are_fewer_batches():
    streams = draw_streams(counting(20), Sequential(batches=4, batch=3, window=7), np.random.default_rng(0))

    assert len(streams.batches()) == 2


@pytest.mark.parametrize(
    ("algorithm", "num_tokens", "message"),
    [
        (Joint(window=8), 8, "has 8 tokens to train on, needs 9 for one window of joint"),
        (Sequential(window=8), 8, "has 8 tokens to train on, needs 9 for one window of sequential"),
        (Fomaml(inner=InnerLoop(window=8)), 17, "needs 18 for one support and one query window of fomaml"),
        (Reptile(inner=InnerLoop(window=8)), 17, "needs 18 for one support and one query window of reptile"),
    ],
)
def test_a_text_too_short_for_one_visit_is_refused(algorithm, num_tokens, message):
    with pytest.raises(SplitError, match=message):
        check_length(counting(num_tokens), algorithm)
    check_length(counting(num_tokens + 1), algorithm)
